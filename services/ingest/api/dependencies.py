"""What every route of the editor API needs: the stores, who calls, and which article is meant."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Path, Security
from fastapi.security import HTTPBearer
from starlette.requests import Request

from services.ingest.articles.publication_status import Publications
from services.ingest.articles.store import read
from services.ingest.articles.workflow import Kept
from services.ingest.auth.actors import Actor
from services.ingest.auth.tokens import Token, Tokens
from services.ingest.media.library import MediaStore
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.sites import Site, Sites

CONVERSIONS_MAX = 2
_ID = re.compile(r"^[A-Za-z0-9_.:-]{1,64}$")
_IF_MATCH = re.compile(r'^(?:W/)?"?(\d{1,10})(?:-(?:gzip|zstd|br))?"?$')
_bearer = HTTPBearer(auto_error=False, description="`python -m services.ingest token create` makes one")


@dataclass
class Desk:
    """What stands behind the routes."""

    pool: asyncpg.Pool
    tokens: Tokens
    sites: Sites
    publications: Publications
    public_url: str | None
    media: MediaStore
    conversions: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONVERSIONS_MAX))
    """Bodies are converted in threads, few at a time: the event loop has other work."""

    def site(self, slug: str) -> Site:
        """Return a site.

        Raises:
            Problem: 404, there is none of that name.
        """
        if slug not in self.sites:
            raise Problem(404, f"There is no site {slug[:40]!r} here; there are {', '.join(self.sites)}.")
        return self.sites[slug]

    def url_of(self, site: str) -> str:
        """Return where readers reach a site."""
        return self.public_url or self.sites[site].origins[0]

    async def convert(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do work of the processor beside the event loop."""
        async with self.conversions:
            return await asyncio.to_thread(work, *arguments)

    def sites_of(self, token: Token, site: str | None) -> Sequence[str] | None:
        """Return the sites whose articles a token lists; None means all.

        Raises:
            Problem: 403 or 404, it may not see the site that was asked for.
        """
        if site is not None:
            token.check("read", self.site(site).slug)
            return [site]
        return None if token.sites is None else sorted(token.sites)


def desk_of(request: Request) -> Desk:
    """Return the desk of the application that serves a request."""
    desk: Desk = request.app.state.desk
    return desk


def needs(scope: str) -> Any:
    """Return a dependency: the caller's token, which has the scope (on some site)."""

    async def caller(request: Request, _: Annotated[Any, Security(_bearer)]) -> Token:
        return await desk_of(request).tokens.require(request.headers.get("authorization"), scope)

    return Depends(caller)


async def maybe_caller(request: Request, _: Annotated[Any, Security(_bearer)]) -> Token | None:
    """Return the caller's token, if one was sent; a bad one is refused, not overlooked."""
    authorization = request.headers.get("authorization")
    return None if authorization is None else await desk_of(request).tokens.require(authorization, "read")


def _article_id(article_id: Annotated[str, Path(description="the article's id", max_length=200)]) -> str:
    if not _ID.match(article_id):
        raise Problem(404, "There is no article by that name.")
    return article_id


DeskOf = Annotated[Desk, Depends(desk_of)]
MaybeCaller = Annotated[Token | None, Depends(maybe_caller)]
Reader = Annotated[Token, needs("read")]
Writer = Annotated[Token, needs("write")]
Publisher = Annotated[Token, needs("publish")]
Admin = Annotated[Token, needs("admin")]
ArticleId = Annotated[str, Depends(_article_id)]


def actor_of(token: Token) -> Actor:
    """Return who a token stands for."""
    return Actor(token.name, token.prefix)


async def the_article(
    connection: Connection, article_id: str, token: Token, scope: str, *, for_update: bool = False
) -> Kept:
    """Return an article that the token may act on.

    Raises:
        Problem: 404, there is none; 403, it is on another site, or the scope is missing.
    """
    kept = await read(connection, article_id, for_update=for_update)
    if kept is None:
        raise Problem(404, f"There is no article {article_id!r}.")
    token.check(scope, kept.head.site)
    return kept


def check_version(request: Request, said: int | None, kept: Kept, *, must: bool) -> None:
    """Refuse a change of a version that is not the newest any more.

    Args:
        request: Its If-Match names versions: "3", or * for any.
        said: The version in the body.
        kept: The article as it stands.
        must: Without a version the change is refused.

    Raises:
        Problem: 412 with the current version; 428, no version was named; 400, If-Match cannot be read.
    """
    current = kept.head.version
    named = request.headers.get("if-match")
    if named is None and said is None:
        if not must:
            return
        detail = f'Which version do you change? Send If-Match: "{current}" or the field version.'
        raise Problem(428, detail, version=current)
    wanted = [] if said is None else [{said}]
    if named is not None and named.strip() != "*":
        found = [_IF_MATCH.match(part.strip()) for part in named.split(",")]
        if not all(found):
            raise Problem(400, 'If-Match names versions, such as "3", or is *.')
        wanted.append({int(one[1]) for one in found if one})
    for versions in wanted:
        if current not in versions:
            others = " or ".join(map(str, sorted(versions)))
            detail = f"You change version {others}; the article is at version {current} now. Read it again first."
            raise Problem(412, detail, headers={"etag": f'"{current}"'}, version=current)
