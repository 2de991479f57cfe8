"""Dependencies of the editor API routes: shared context, token, article ID and version checks."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Path, Security
from fastapi.security import HTTPBearer
from starlette.requests import Request

from services.ingest.articles.publication_status import PublicationTracker
from services.ingest.articles.store import read_article
from services.ingest.articles.workflow import StoredArticle
from services.ingest.auth.tokens import Token, Tokens
from services.ingest.media.library import MediaStore
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.sites import Site, Sites

CONVERSIONS_MAX = 2
_ID = re.compile(r"^[A-Za-z0-9_.:-]{1,64}$")
_IF_MATCH = re.compile(r'^(?:W/)?"?(\d{1,10})(?:-(?:gzip|zstd|br))?"?$')
_bearer = HTTPBearer(auto_error=False, description="Create one with `python -m services.ingest token create`")


@dataclass
class ApiContext:
    """Everything that the routes share."""

    pool: asyncpg.Pool
    tokens: Tokens
    sites: Sites
    publications: PublicationTracker
    public_url: str | None
    media: MediaStore
    conversions: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONVERSIONS_MAX))
    """Limits the threads that convert article bodies."""

    def site(self, slug: str) -> Site:
        """Return a site.

        Raises:
            Problem: 404 for an unknown site.
        """
        if slug not in self.sites:
            raise Problem(404, f"Unknown site {slug[:40]!r}; known sites: {', '.join(self.sites)}.")
        return self.sites[slug]

    def site_url(self, site: str) -> str:
        """Return the public base URL of a site."""
        return self.public_url or self.sites[site].origins[0]

    async def convert(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run CPU-bound work in a thread, off the event loop."""
        async with self.conversions:
            return await asyncio.to_thread(work, *arguments)

    def visible_sites(self, token: Token, site: str | None) -> Sequence[str] | None:
        """Return the sites whose articles a token may list; None means all.

        Raises:
            Problem: 403 or 404 if it may not read the requested site.
        """
        if site is not None:
            token.check("read", self.site(site).slug)
            return [site]
        return None if token.sites is None else sorted(token.sites)


def api_context(request: Request) -> ApiContext:
    """Return the context of the application that serves a request."""
    context: ApiContext = request.app.state.context
    return context


def require_scope(scope: str) -> Any:
    """Return a dependency that yields the request's token and requires a scope (on any site)."""

    async def caller(request: Request, _: Annotated[Any, Security(_bearer)]) -> Token:
        return await api_context(request).tokens.require(request.headers.get("authorization"), scope)

    return Depends(caller)


async def optional_token(request: Request, _: Annotated[Any, Security(_bearer)]) -> Token | None:
    """Return the request's token, or None without one; an invalid token is rejected, not ignored."""
    authorization = request.headers.get("authorization")
    return None if authorization is None else await api_context(request).tokens.require(authorization, "read")


def _article_id(article_id: Annotated[str, Path(description="ID of the article", max_length=200)]) -> str:
    if not _ID.match(article_id):
        raise Problem(404, "Not found.")
    return article_id


ApiContextDep = Annotated[ApiContext, Depends(api_context)]
OptionalToken = Annotated[Token | None, Depends(optional_token)]
ReadToken = Annotated[Token, require_scope("read")]
WriteToken = Annotated[Token, require_scope("write")]
PublishToken = Annotated[Token, require_scope("publish")]
AdminToken = Annotated[Token, require_scope("admin")]
ArticleId = Annotated[str, Depends(_article_id)]


async def load_article(
    connection: Connection, article_id: str, token: Token, scope: str, *, for_update: bool = False
) -> StoredArticle:
    """Return an article that the token may access.

    Raises:
        Problem: 404 if not found; 403 if the token lacks the scope or the site.
    """
    stored = await read_article(connection, article_id, for_update=for_update)
    if stored is None:
        raise Problem(404, f"Article {article_id!r} not found.")
    token.check(scope, stored.head.site)
    return stored


def check_version(request: Request, body_version: int | None, stored: StoredArticle, *, is_required: bool) -> None:
    """Reject a change of a version that is no longer the newest.

    Args:
        request: Its If-Match names versions, such as "3", or * for any.
        body_version: The version in the body.
        stored: The article as stored.
        is_required: Whether to reject a change without a version.

    Raises:
        Problem: 412 with the current version; 428 without a version; 400 for an invalid If-Match.
    """
    current = stored.head.version
    named = request.headers.get("if-match")
    if named is None and body_version is None:
        if not is_required:
            return
        detail = f'Name the version to change: send If-Match: "{current}" or the field `version`.'
        raise Problem(428, detail, version=current)
    wanted = [] if body_version is None else [{body_version}]
    if named is not None and named.strip() != "*":
        found = [_IF_MATCH.match(part.strip()) for part in named.split(",")]
        if not all(found):
            raise Problem(400, 'Invalid If-Match; expected versions, such as "3", or *.')
        wanted.append({int(one[1]) for one in found if one})
    for versions in wanted:
        if current not in versions:
            others = " or ".join(map(str, sorted(versions)))
            detail = f"The change is of version {others}, but the article is at version {current}. Read it again first."
            raise Problem(412, detail, headers={"etag": f'"{current}"'}, version=current)
