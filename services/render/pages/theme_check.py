"""Renders every kind of page from a sample article, so that a faulty theme is found when a process starts. Pure."""

from datetime import UTC, datetime, timedelta

import msgspec
from jinja2 import TemplateError

from services.render.pages import html, page_data
from services.render.pages.document import Document
from services.render.pages.search_query import SearchRequest, SearchResult, parse
from services.render.pages.themes import ThemeError, theme_of
from services.render.pages.translations import ERROR_STATUSES
from shared.articles import (
    Article,
    Author,
    BulletList,
    Cell,
    Correction,
    Crop,
    Embed,
    Figure,
    File,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Related,
    Rendition,
    Rights,
    Seo,
    Source,
    Table,
)
from shared.banners import PLACES, Banner, Banners
from shared.site_structure import (
    MENUS,
    MenuItem,
    PageLink,
    SiteStructure,
    StaticPage,
    StructureAuthor,
    StructureIndex,
    StructureSection,
)
from shared.sites import Section, Site, with_structure

AT = datetime(2026, 11, 24, 3, tzinfo=UTC)
RENDITIONS = [Rendition(f"/media/a.{kind}", 640, 480, f"image/{kind}") for kind in ("avif", "webp", "jpeg")]
CROPS = [Crop(ratio, "/media/c.jpg", 640, 360, RENDITIONS) for ratio in ("16:9", "3:2", "1:1")]
IMAGE = Image("/media/b.jpg", "Alt", 1280, 960, renditions=RENDITIONS, crops=CROPS)


def sample_article(section: str) -> Article:
    """Return an article with every field and every kind of block."""
    return Article(
        id="proof",
        number=1,
        site="proof",
        version=1,
        state="published",
        title="Đổi mới",
        slug="doi-moi",
        section=section,
        language="en",
        kicker="Kicker",
        subtitle="Subtitle",
        lead="Lead",
        lead_image=Figure("Caption", IMAGE, "Credit"),
        body=[
            Paragraph("<em>Text</em>"),
            Heading("Heading"),
            Figure("Lost"),
            Figure("", Image("https://elsewhere.example/a.jpg", "Alt")),
            BulletList([Item("One", [Item("Two")], ordered=True)]),
            Quote(["Words"], "Somebody"),
            Table([[Cell("A", header=True, colspan=2)], [Cell("1"), Cell("2")]], "Caption"),
            Embed("vimeo", "1", "Video"),
            File(f"/tep/{'0' * 32}/file.pdf", "File", "0" * 32, 2_300_000, "application/pdf"),
            File("https://elsewhere.example/a.pdf", "File"),
            Related("other", 2),
        ],
        authors=[Author("Name", "Role", "https://author.example/"), Author("Name")],
        source=Source("Source", url="https://source.example/"),
        tags=["Tag"],
        corrections=[Correction("Corrected", AT)],
        rights=Rights("Holder", "Notice"),
        seo=Seo("Title", "Description", noindex=True, canonical="https://first.example/"),
        modified_at=AT,
        first_published_at=AT,
        published_at=AT,
        text_updated_at=AT + timedelta(hours=1),
    )


def render_every_kind(site: Site, public_url: str) -> dict[str, Document]:
    """Return a page of each kind, by name."""
    section = site.sections[0] if site.sections else Section("none", "None")
    one = sample_article(section.slug)
    two, search = [one, one], SearchRequest("doi moi", section.slug, AT.date(), AT.date(), by_date=True, page=2)
    lists = [
        page_data.ListInfo("/x/", "X", kind, section if kind == "section" else None)
        for kind in ("section", "tag", "archive")
    ]
    author = StructureAuthor(slug="name", name="Name", role="Role", bio="Bio", email="a@b.vn", version=1)
    page = StaticPage(
        site=site.slug, id="p", version=1, state="published", slug="p", title="A page", modified_at=AT, body=one.body
    )
    address = site, public_url
    menus = {name: [MenuItem(kind="home", items=[MenuItem(kind="page", target="p")])] for name in MENUS}
    structure = SiteStructure(
        site=site.slug,
        version=1,
        modified_at=AT,
        sections=[StructureSection(slug=one.slug, name=one.name, version=1) for one in site.sections],
        authors=[author],
        menus=menus,
        banners=Banners(items=_banners()),
    )
    edited = with_structure(site, StructureIndex(structure, {"p": PageLink("p", page.title)}))
    return {
        "article": html.render_article(one, page_data.RelatedArticles(one, one, two, two, {"other": one}), *address),
        "home": html.render_home(_home(one, section), *address),
        "article with banners": html.render_article(one, page_data.RelatedArticles(), edited, public_url),
        "home with quick links": html.render_home(
            _home(msgspec.structs.replace(one, kind="photo"), section), edited, public_url
        ),
        "home without articles": html.render_home(
            page_data.HomePage(None, [], [], breaking=page_data.BreakingBar("…", "/")), *address
        ),
        **{
            f"list of {one.kind}": html.render_list(one, page_data.ListPage(two, 2, has_more=True), *address)
            for one in lists
        },
        "author": html.render_list(
            page_data.ListInfo("/tac-gia/name/", "Name", "author", author=author), page_data.ListPage(two), *address
        ),
        "corrections": html.render_corrections(page_data.ListPage(two, 2, has_more=True), *address),
        "no corrections": html.render_corrections(page_data.ListPage([]), *address),
        "static page": html.render_static_page(page, {}, *address),
        "saved copy": html.render_saved(one, {"other": one}, *address),
        "list without articles": html.render_list(lists[0], page_data.ListPage([]), *address),
        "months": html.render_months([(2026, 11, 2)], *address),
        "months without articles": html.render_months([], *address),
        "site map": html.render_site_map([(section, two)], [("Tag", 2)], [(2026, 11, 2)], *address),
        "site map with authors": html.render_site_map([(section, two)], [], [], edited, public_url),
        "search": html.render_search(search, SearchResult(two, 1234, has_more=True, terms=parse("doi moi")), *address),
        "search of a static export": html.render_search(
            SearchRequest(), SearchResult(), *address, search_index="/x.json"
        ),
        "search for nothing": html.render_search(SearchRequest(), SearchResult(), *address),
        "search without results": html.render_search(SearchRequest("x"), SearchResult(), *address),
        "nearest results": html.render_search(
            SearchRequest("x"), SearchResult(two, 2, is_nearest=True, terms=parse("x")), *address
        ),
        **{f"error {status}": html.render_error(*address, status) for status in ERROR_STATUSES},
    }


def _banners() -> list[Banner]:
    urls = ("", "/x/", "https://elsewhere.example/")
    return [
        Banner(id=f"{place}{number}", place=place, image=IMAGE, url=url, is_advertisement=number > 1)
        for place in PLACES
        for number, url in enumerate(urls)
    ]


def _home(one: Article, section: Section) -> page_data.HomePage:
    blocks = [page_data.SectionBlock(section, [one] * 3, layout) for layout in ("large", "cards", "half")]
    return page_data.HomePage(one, [one] * 12, blocks, media=[one], notices=[one])


_checked: dict[str, Site] = {}
"""Sites whose theme was found to be right: after a change of the configuration only the changed ones are rendered."""


def check_theme(site: Site) -> None:
    """Render a page of each kind.

    Raises:
        ThemeError: one of them cannot be rendered, or the theme cannot be read.
    """
    theme_of(site)
    if _checked.get(site.slug) == site:
        return
    try:
        render_every_kind(site, site.url)
    except TemplateError as error:
        raise ThemeError(
            f"theme {site.theme or 'default'}, site {site.slug}: {_template_position(error)}{error}"
        ) from error
    except Exception as error:
        raise ThemeError(
            f"theme {site.theme or 'default'}, site {site.slug}: {_template_position(error)}{error!r}"
        ) from error
    _checked[site.slug] = site


def _template_position(error: BaseException) -> str:
    """Return the template and line that failed, if the traceback has them."""
    position, trace = "", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.endswith(".html"):
            position = f"{name.rpartition('/')[2]}, line {trace.tb_lineno}: "
        trace = trace.tb_next
    return position
