"""A generation → the addresses of its site that are no files: redirects, and what is gone."""

from collections.abc import Mapping

from services.render.crawl.all_pages import SiteUrls
from services.render.crawl.site_check import SiteCheckReport
from services.render.export.server_configs import Redirects
from services.render.pages.themes import theme_of
from services.render.site.page_reader import PageReader
from shared.site_structure import AUTHOR_PATH_PREFIX, Kind, page_path


async def redirects_of(reader: PageReader, report: SiteCheckReport, urls: SiteUrls) -> Redirects:
    """Return the redirects of a site, and what is gone; `report`: with the links that lead to redirects."""
    pages, moved, gone = urls.all, dict(report.redirects), set()
    for url, path, state, is_public in await reader.rows("all_old_addresses"):
        if url in pages:
            continue  # a page wins over an old URL
        if is_public:
            moved[url] = path
        elif state == "killed":
            gone.add(url)
    for path, state in await reader.rows("all_hidden"):
        if state == "killed" and path not in pages:
            gone.add(path)
    moved |= {url: to for url, to in (await _redirects_of_structure(reader, urls)).items() if url not in pages}
    deleted = {page_path(str(slug)) for (slug,) in await reader.rows("deleted_page_slugs")}
    gone |= deleted - pages - moved.keys()
    moved.setdefault("/favicon.ico", theme_of(reader.site).paths["icon.svg"])
    numbers: Mapping[int, str] = urls.articles
    return Redirects(dict(sorted(moved.items())), sorted(gone), numbers)


async def _redirects_of_structure(reader: PageReader, urls: SiteUrls) -> dict[str, str]:
    """Return the addresses of slugs that were given up: each page of a list, feeds, and static pages."""
    index = reader.site.structure
    if index is None:
        return {}
    moved: dict[str, str] = {}
    roots: dict[Kind, str] = {"section": "/", "tag": "/tag/", "author": AUTHOR_PATH_PREFIX}
    for kind, root in roots.items():
        for slug in sorted(index.aliases[kind]):
            present = f"{root}{index.current(kind, slug)}/"
            moved |= {
                f"{root}{slug}/{url.removeprefix(present)}": url for url in urls.others if _is_of_list(url, present)
            }
            moved[f"{root}{slug}"] = present
    for former, slug in await reader.rows("static_page_former_slugs"):
        moved[page_path(former)] = page_path(slug)
    return moved


def _is_of_list(url: str, path: str) -> bool:
    """Return whether a URL is a page or a feed of a list."""
    rest = url.removeprefix(path)
    return url.startswith(path) and "/" not in rest and (rest in ("", "rss.xml", "atom.xml") or rest.endswith(".html"))
