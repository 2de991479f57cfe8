"""URLs without a page of their own: 301 to the page's present URL, 404, or 410 once the article was killed."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from services.render.site.page_reader import PageReader
from shared.articles import State


@dataclass(frozen=True)
class Redirect:
    """The page has another URL: 301."""

    path: str


@dataclass(frozen=True)
class NoPage:
    """No page has this URL: 404, or 410 if its article was killed."""

    status: int = 404


async def find_old_url(reader: PageReader, path: str, query_string: str) -> Redirect | NoPage:
    """Redirect to the article that had this URL before, on this portal or on the one that it was imported from."""
    with_query = f"{path}?{query_string}" if query_string else path
    urls = list(dict.fromkeys([with_query, unquote(with_query), path, *_without_alias(unquote(path))]))
    row = await reader.connection.fetchrow(reader.sql["article_of_old_address"], reader.site.slug, urls)
    return NoPage() if row is None else redirect_or_gone(row["path"], row["state"], is_public=row["is_public"])


_NUMBERED = re.compile(r"^(.*/)[^/]+(-\d{1,12}(?:\.html?|/)?)$")


def _without_alias(path: str) -> list[str]:
    """Return the path with the number of its article only: portals such as NukeViet find it with any text before."""
    found = _NUMBERED.match(path)
    return [found[1] + found[2]] if found else []


def redirect_or_gone(path: str, state: State, *, is_public: bool) -> Redirect | NoPage:
    """Decide what another URL of an article answers: its page while it is public, 410 once it was killed, else 404."""
    if is_public:
        return Redirect(path)
    return NoPage(410 if state == "killed" else 404)
