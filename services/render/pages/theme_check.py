"""Every kind of page, made once of a sample article when a process starts: a theme that fails is told then. Pure."""

from datetime import UTC, datetime

from jinja2 import TemplateError

from services.render.pages import html, page_data
from services.render.pages.document import Document
from services.render.pages.search_query import Found, Wanted, parse
from services.render.pages.themes import ThemeError, theme_of
from services.render.pages.translations import ERROR_STATUSES
from shared.articles import (
    Article,
    Author,
    BulletList,
    Cell,
    Correction,
    Embed,
    Figure,
    File,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Rendition,
    Rights,
    Seo,
    Source,
    Table,
)
from shared.sites import Section, Site

AT = datetime(2026, 11, 24, 3, tzinfo=UTC)
COPIES = [Rendition(f"/media/a.{kind}", 640, 480, f"image/{kind}") for kind in ("avif", "webp", "jpeg")]
IMAGE = Image("/media/b.jpg", "Alt", 1280, 960, renditions=COPIES)


def sample(section: str) -> Article:
    """Return an article that has everything an article may have."""
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
            File("/media/a.pdf", "File"),
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
    )


def all_kinds(site: Site, public_url: str) -> dict[str, Document]:
    """Return a page of each kind, by name."""
    section = site.sections[0] if site.sections else Section("none", "None")
    one = sample(section.slug)
    two, wanted = [one, one], Wanted("doi moi", section.slug, AT.date(), AT.date(), by_date=True, page=2)
    of = [
        page_data.ListOf("/x/", "X", kind, section if kind == "section" else None)
        for kind in ("section", "tag", "archive")
    ]
    place = site, public_url
    return {
        "article": html.render_article(one, page_data.Around(one, one, two, two), *place),
        "home": html.render_home(one, two * 4, [(section, two), (section, two[:1])], *place),
        "home without articles": html.render_home(None, [], [], *place),
        **{f"list of {one.kind}": html.render_list(one, page_data.Part(two, 2, has_more=True), *place) for one in of},
        "list without articles": html.render_list(of[0], page_data.Part([]), *place),
        "months": html.render_months([(2026, 11, 2)], *place),
        "months without articles": html.render_months([], *place),
        "site map": html.render_site_map([(section, two)], [("Tag", 2)], [(2026, 11, 2)], *place),
        "search": html.render_search(wanted, Found(two, 1234, has_more=True, terms=parse("doi moi")), *place),
        "search for nothing": html.render_search(Wanted(), Found(), *place),
        "search without results": html.render_search(Wanted("x"), Found(), *place),
        "nearest results": html.render_search(Wanted("x"), Found(two, 2, is_nearest=True, terms=parse("x")), *place),
        **{f"error {status}": html.render_error(*place, status) for status in ERROR_STATUSES},
    }


def prove(site: Site) -> None:
    """Make a page of each kind.

    Raises:
        ThemeError: one of them cannot be made, or the theme cannot be read.
    """
    theme_of(site)
    try:
        all_kinds(site, site.origins[0])
    except TemplateError as error:
        raise ThemeError(f"theme {site.theme or 'of ours'}, site {site.slug}: {_place(error)}{error}") from error
    except Exception as error:
        raise ThemeError(f"theme {site.theme or 'of ours'}, site {site.slug}: {_place(error)}{error!r}") from error


def _place(error: BaseException) -> str:
    """Return in which template and line it failed, as far as the trace tells."""
    place, trace = "", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.endswith(".html"):
            place = f"{name.rpartition('/')[2]}, line {trace.tb_lineno}: "
        trace = trace.tb_next
    return place
