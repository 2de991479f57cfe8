"""Articles → pages. Pure: the same articles, site, URL and theme give the same bytes."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from services.render.pages.article_text import other_lines, prose_lines, source_label
from services.render.pages.banners import banners
from services.render.pages.contact_links import mail_links, phone_links
from services.render.pages.corrections import correction_comments, newest_corrections
from services.render.pages.dates import local_date, local_day, local_hour, local_short_day, month_name
from services.render.pages.document import Document
from services.render.pages.ended import last_end, until_mark
from services.render.pages.feeds import feed_path, feed_title
from services.render.pages.file_notes import file_extension, file_note
from services.render.pages.front_page import LATEST_MIN
from services.render.pages.menus import marked_menu, menu_links
from services.render.pages.page_data import HomePage, ListInfo, ListPage, RelatedArticles
from services.render.pages.paths import CORRECTIONS_PATH, month_path, page_path, section_path, tag_path
from services.render.pages.saved_copy import inline_style, picture_count, saved_image, saved_path
from services.render.pages.search_excerpts import excerpt, highlight, matching_tags
from services.render.pages.search_query import RANKED_MAX, ParsedQuery, SearchRequest, SearchResult
from services.render.pages.share_links import quoted, share_links
from services.render.pages.srcset import fallback_image, srcset
from services.render.pages.structured_data import (
    CONTEXT,
    about_page,
    breadcrumbs,
    first_language,
    profile_page,
    translations_of,
    web_site,
)
from services.render.pages.tables import cell_class, table_shape
from services.render.pages.template_compiler import SharedNames
from services.render.pages.themes import RASTER, read_theme, theme_of
from services.render.pages.translations import (
    error_text,
    language_name,
    og_locale,
    result_count,
    translations,
)
from shared.article_identity import local_iso, permanent_id, published_date, text_update, updated_date
from shared.articles import Article, Figure, article_path, media_kind
from shared.embeds import PLATFORM_NAMES, embed_url
from shared.site_structure import MENUS, StaticPage, author_path
from shared.site_structure import page_path as page_path_of
from shared.sites import Section, Site
from shared.slugs import name_slug
from shared.structured_data import (
    SUMMARY_CHARACTERS_MAX,
    crop,
    first_paragraph,
    hosted_images,
    is_hosted,
    news_article,
    publisher,
    summary,
    truncate,
)
from shared.text import inline_text


def render_article(article: Article, related: RelatedArticles, site: Site, public_url: str) -> Document:
    """Render an article's page."""
    images = hosted_images(article)
    return _render(
        "article.html",
        site,
        public_url,
        article_path(article),
        article=article,
        related=related,
        inside=related.inside,
        section=site.section(article.section),
        description=(article.seo.description if article.seo else "") or summary(article),
        images=images,
        canonical_override=article.seo.canonical if article.seo else None,
        permanent_id=permanent_id(article, site),
        published_date=published_date(article, site),
        modified_date=updated_date(article, site),
        data=[
            news_article(article, site, public_url, _logo_path(site), list(related.inside.values())),
            breadcrumbs(_steps(article, site), site, public_url),
        ],
        noindex=bool(article.seo and article.seo.noindex),
        x_default=first_language([article, *related.translations], site),
        quote=quoted,
    )


def render_saved(article: Article, inside: Mapping[str, Article], site: Site, public_url: str) -> Document:
    """Render an article as a file of its own, which `saved_copy.complete` completes; `inside`: its cards, by ID."""
    count = picture_count(article)
    return _render(
        "saved.html",
        site,
        public_url,
        article_path(article),
        article=article,
        inside=inside,
        description=(article.seo.description if article.seo else "") or summary(article),
        style=_inline_style(site.theme),
        saved_image=lambda image: saved_image(image, count) if is_hosted(image) else "",
    )


@cache
def _inline_style(theme: str) -> str:
    return inline_style(read_theme(theme))


def render_home(page: HomePage, site: Site, public_url: str) -> Document:
    """Render the home page: breaking news, the lead story, what follows it, photo and video stories, and sections."""
    return _render(
        "home.html",
        site,
        public_url,
        "/",
        lead=page.lead,
        newest=page.newest,
        blocks=page.sections,
        by_section=[(one.section, one.articles) for one in page.sections],
        cards_max=page.cards,
        latest_min=LATEST_MIN,
        breaking=page.breaking,
        media=page.media,
        data=[web_site(site, public_url), {"@context": CONTEXT} | publisher(site, public_url, _logo_path(site))],
        notices=page.notices,
    )


def render_list(info: ListInfo, page: ListPage, site: Site, public_url: str) -> Document:
    """Render one page of the list of a section, a tag or a month."""
    path = page_path(info.path, page.number)
    profiles = [profile_page(info.author, site, public_url)] if info.author and page.number == 1 else []
    return _render(
        "list.html",
        site,
        public_url,
        path,
        list_info=info,
        list_page=page,
        section=info.section,
        data=[*profiles, breadcrumbs([(info.title, info.path)], site, public_url)],
    )


def render_corrections(page: ListPage, site: Site, public_url: str) -> Document:
    """Render one page of the list of articles with corrections."""
    title = str(translations(site)["corrections"])
    return _render(
        "corrections.html",
        site,
        public_url,
        page_path(CORRECTIONS_PATH, page.number),
        list_page=page,
        newest_corrections=newest_corrections,
        data=[
            correction_comments(page.articles, public_url, site),
            breadcrumbs([(title, CORRECTIONS_PATH)], site, public_url),
        ],
    )


def render_static_page(page: StaticPage, inside: Mapping[str, Article], site: Site, public_url: str) -> Document:
    """Render a page that is no article; `inside`: public articles that it shows as cards, by ID."""
    path = page_path_of(page.slug)
    has_pictures = any(isinstance(one, Figure) and one.image and is_hosted(one.image) for one in page.body)
    language = page.language or site.language
    others = translations_of(page, site)
    about = about_page(page, site, public_url, _logo_path(site))
    data = [*([about] if about else []), breadcrumbs([(page.title, path)], site, public_url)]
    return _render(
        "page.html",
        site,
        public_url,
        path,
        page=page,
        description=page.description or truncate(first_paragraph(page.body), SUMMARY_CHARACTERS_MAX),
        inside=inside,
        language=language,
        others=others,
        x_default=next((one.slug for one in others if one.language == site.language), page.slug),
        own_words=translations(msgspec.structs.replace(site, language=language)),
        data=data,
        has_pictures=has_pictures,
    )


def render_months(months: Sequence[tuple[int, int, int]], site: Site, public_url: str) -> Document:
    """Render the archive: each month with its number of articles."""
    return _render("archive.html", site, public_url, "/luu-tru/", months=months)


def render_site_map(
    sections: Sequence[tuple[Section, Sequence[Article]]],
    tags: Sequence[tuple[str, int]],
    months: Sequence[tuple[int, int, int]],
    site: Site,
    public_url: str,
) -> Document:
    """Render the site map for visitors: sections, tags, months, feeds and contact."""
    return _render("site_map.html", site, public_url, "/so-do-site", by_section=sections, tags=tags, months=months)


def render_search(
    search: SearchRequest, result: SearchResult, site: Site, public_url: str, search_index: str = ""
) -> Document:
    """Render the results of a search, or its empty form; `search_index`: of a static export, whose pages search."""
    return _render(
        "search.html",
        site,
        public_url,
        "/tim-kiem",
        search=search,
        result=result,
        highlight=highlight,
        excerpt=_excerpt,
        matching_tags=matching_tags,
        count_max=RANKED_MAX,
        noindex=True,
        search_index=search_index,
    )


def _excerpt(article: Article, terms: ParsedQuery) -> str:
    return excerpt(prose_lines(article), other_lines(article), terms)


def render_error(site: Site, public_url: str, status: int) -> Document:
    """Render an error page with the site's theme."""
    title, text = error_text(site, status)
    return _render("error.html", site, public_url, "", title=title, text=text, status=status, noindex=True)


def _logo_path(site: Site) -> str:
    return site.emblem or theme_of(site).emblem


def _steps(article: Article, site: Site) -> list[tuple[str, str]]:
    section = site.section(article.section)
    steps = [(section.name, section_path(section.slug))] if section else []
    return [*steps, (article.title, article_path(article))]


def _author_path(site: Site, name: str) -> str:
    """Return the path of an author's page; "" if the newsroom has made none."""
    author = site.structure.author(name) if site.structure else None
    return author_path(author.slug) if author else ""


def _render(template: str, site: Site, public_url: str, path: str, **given: Any) -> Document:
    shared = _shared_names(site, public_url)
    own = {"path": path, "canonical": public_url + path, "data": [], "noindex": False, "section": None}
    return Document(theme_of(site).templates.render(template, shared, own | given).encode())


_shared: dict[str, tuple[Site, str, SharedNames]] = {}
"""By slug: the site and address of the last page, and what all pages of both have."""


def _shared_names(site: Site, public_url: str) -> SharedNames:
    known = _shared.get(site.slug)
    if known is None or known[0] is not site or known[1] != public_url:
        known = _shared[site.slug] = site, public_url, _make_shared_names(site, public_url)
    return known[2]


def _make_shared_names(site: Site, public_url: str) -> SharedNames:
    theme = theme_of(site)
    menus = {name: menu_links(site, name) for name in MENUS}
    return SharedNames(
        {
            "site": site,
            "public_url": public_url,
            "is_local": urlsplit(public_url).hostname in ("localhost", "127.0.0.1", "::1"),
            "asset": theme.paths.__getitem__,
            "style_path": theme.paths["site.css"],
            "script_path": theme.paths["site.js"],
            "icon_path": theme.paths["icon.svg"],
            "touch_icon_path": theme.paths.get("touch-icon.png", ""),
            "share_image_path": theme.share_image or (site.emblem if site.emblem.endswith(RASTER) else ""),
            "emblem_path": site.emblem or theme.emblem,
            "inline_script": theme.inline_script,
            "words": translations(site),
            "locale": og_locale(site),
            "corrections_path": CORRECTIONS_PATH,
            "banners_of": lambda place: banners(site, place),
            "last_end": last_end,
            "until_mark": until_mark,
            "menus": menus,
            "of_menu": lambda name, entries: marked_menu(menus[name], entries),
            "static_page_path": page_path_of,
            "author_path_of": lambda name: _author_path(site, name),
            "article_path": article_path,
            "section_path": section_path,
            "tag_path": tag_path,
            "tag_slug": name_slug,
            "month_path": month_path,
            "page_path": page_path,
            "feed_path": feed_path,
            "feed_title": feed_title,
            "month_name": lambda year, month: month_name(year, month, site.language),
            "summary": summary,
            "plain": inline_text,
            "srcset": srcset,
            "fallback_image": fallback_image,
            "crop": crop,
            "is_hosted": is_hosted,
            "hosted_images": hosted_images,
            "embed_url": embed_url,
            "file_extension": file_extension,
            "file_note": lambda file: file_note(file, site),
            "table_shape": table_shape,
            "saved_path": saved_path,
            "share_links": share_links,
            "phone_links": phone_links,
            "mail_links": mail_links,
            "cell_class": cell_class,
            "platform_names": PLATFORM_NAMES,
            "text_update": text_update,
            "local_iso": lambda instant: local_iso(instant, site),
            "visible_date": lambda article: local_date(
                article.published_at, site.zone, site.language, article.date_precision
            ),
            "source_label": source_label,
            "language_name": lambda language: language_name(site, language),
            "visible_hour": lambda instant: local_hour(instant, site.zone),
            "visible_short_day": lambda instant: local_short_day(instant, site.zone, site.language),
            "media_kind": media_kind,
            "visible_day": lambda instant: local_day(instant, site.zone, site.language),
            "result_count": lambda count, more: result_count(site, count, more=more),
            "visible_time": lambda instant: local_date(instant, site.zone, site.language),
            "inside": {},
        },
        changeable=["inside"],
    )
