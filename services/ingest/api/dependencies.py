"""Dependencies of the editor API routes: shared context, caller and article ID."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Header, Path, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import Request

from services.ingest.api.public_lists import PublicLists
from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.previews import PreviewLinks
from services.ingest.articles.publication_status import PublicationTracker
from services.ingest.articles.store import read_article
from services.ingest.articles.topic_comparison import ComparisonGate
from services.ingest.auth.accounts import Accounts
from services.ingest.auth.authentication import Authentication
from services.ingest.auth.callers import ANY_SECTION, Caller
from services.ingest.auth.cookies import SECURE_PREFIX, SESSION
from services.ingest.auth.sessions import OpenSession
from services.ingest.content.errors import invalid
from services.ingest.files.library import FILE_BYTES_MAX
from services.ingest.media.library import MediaStore
from services.ingest.queries import EDITING
from services.ingest.structure.seeding import StructureSeeder
from services.ingest.structure.store import count_terms
from services.ingest.structure.terms import slug_of, spellings_of
from shared.articles import Article, State
from shared.http.fair_limit import FairLimit
from shared.http.guarded_sender import Sender
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.site_structure import Kind
from shared.sites import Site, Sites

CONVERSIONS_MAX = 2
"""Threads that convert article bodies at once; the callers take turns."""
CONVERSION_WAIT_SECONDS_MAX = 20.0
IMPORTS_MAX = 2
"""Imports at once; the callers take turns."""
IMPORTS_OF_CALLER_MAX = 4
IMPORTS_WAITING_MAX = 16
IMPORT_WAIT_SECONDS_MAX = 30.0
ARTICLE_ID = re.compile(r"^[A-Za-z0-9_.:-]{1,64}$")
_bearer = HTTPBearer(auto_error=False, description="For programs: `presstally ingest token create`")
_cookie = APIKeyCookie(
    name=SECURE_PREFIX + SESSION,
    auto_error=False,
    scheme_name="Session",
    description="For people: `POST /sessions` sets it. Each change repeats `csrf_token` in the header `X-CSRF-Token`.",
)


@dataclass
class ApiContext:
    """Everything that the routes share."""

    pool: asyncpg.Pool
    authentication: Authentication
    accounts: Accounts
    sites: Sites
    publications: PublicationTracker
    media: MediaStore
    comparison: ComparisonGate
    conversions: FairLimit = field(
        default_factory=lambda: FairLimit(
            "conversions", running_max=CONVERSIONS_MAX, wait_seconds_max=CONVERSION_WAIT_SECONDS_MAX
        )
    )
    imports: FairLimit = field(
        default_factory=lambda: FairLimit(
            "imports",
            running_max=IMPORTS_MAX,
            in_progress_max=IMPORTS_WAITING_MAX,
            of_caller_max=IMPORTS_OF_CALLER_MAX,
            wait_seconds_max=IMPORT_WAIT_SECONDS_MAX,
        )
    )
    public_lists: PublicLists = field(default_factory=PublicLists)
    file_bytes_max: int = FILE_BYTES_MAX
    structures: StructureSeeder = field(init=False)
    webhook_sender: Sender = field(default_factory=Sender)
    previews: PreviewLinks = field(init=False)

    def __post_init__(self) -> None:
        self.structures = StructureSeeder(self.pool, self.sites)
        self.previews = PreviewLinks(self.pool)

    def site(self, slug: str) -> Site:
        """Return a site that the caller may know.

        Raises:
            Problem: 404 for a site that is not configured.
        """
        if slug not in self.sites:
            raise Problem(404, f"Unknown site {slug[:40]!r}.")
        return self.sites[slug]

    def site_of_caller(self, caller: Caller, scope: str, slug: str, section: str | None = None) -> Site:
        """Return a site that a request names, once the caller has the scope there, in the section or on the whole site.

        Raises:
            Problem: 403 without the scope or the site, also if there is no such site; 404 for an unknown site, if the
                token may access all.
        """
        caller.check(scope, slug, section)
        if slug not in self.sites:
            known = ", ".join(site for site in self.sites if caller.reaches(site))
            raise Problem(404, f"Unknown site {slug[:40]!r}; known sites: {known}.")
        return self.sites[slug]

    def default_site(self, caller: Caller, scope: str, slug: str | None, host: str, section: str | None = None) -> Site:
        """Return the site that a request names; else the token's only one, else the one that was asked by its host.

        Raises:
            Problem: like `site_of_caller`.
            InvalidContentError: no site is named, and the token has several that do not include that of the host.
        """
        if slug is not None:
            return self.site_of_caller(caller, scope, slug, section)
        caller.check(scope)
        reached = [site for site in self.sites.values() if caller.allows(scope, site.slug, section)]
        if len(reached) == 1:
            return reached[0]
        asked = self.sites.by_host(host)
        if asked not in reached:
            names = ", ".join(site.slug for site in reached) or "the token's sites are not configured"
            raise invalid("site", "site_required", sites=names)
        return asked

    def resolved(self, stored: StoredArticle) -> StoredArticle:
        """Return an article as it is shown and changed: with its section, tags and authors as they are called now."""
        site = self.sites.get(stored.head.site)
        return stored if site is None else stored.resolved(site)

    async def filter_names(self, kind: Kind, name: str | None, sites: Sequence[str]) -> str | None:
        """Return a filter by section, tag or author as lists take it: every name that articles may have, one a line."""
        if name is None:
            return None
        if "\n" in name:
            return ""  # nothing has such a name
        names = {name: None}
        for site in (self.sites[slug] for slug in sites if slug in self.sites):
            if site.structure is None:
                continue
            if kind == "section":
                names |= dict.fromkeys(site.section_keys(name))
            elif site.structure.tags if kind == "tag" else site.structure.authors:
                slug = slug_of(site.structure, kind, name)
                names |= dict.fromkeys(
                    spellings_of(await count_terms(self.pool, site.slug, kind), site.structure, kind, slug)
                )
        return "\n".join(names)

    def site_url(self, site: str) -> str:
        """Return the public base URL of a site.

        Raises:
            Problem: 404 for a site that is not configured.
        """
        return self.site(site).url

    async def convert(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run CPU-bound work in a thread, off the event loop.

        Raises:
            Problem: 503 if its turn does not come in time.
        """
        async with self.conversions.admit():
            return await asyncio.to_thread(work, *arguments)

    def visible_sites(
        self, caller: Caller, site: str | None, scope: str = "read", section: str | None = ANY_SECTION
    ) -> Sequence[str] | None:
        """Return the sites on which a caller has a scope, in any section or on the whole site; None means all.

        A list of what belongs to sections leaves out those that are not among `Caller.places_with`.

        Raises:
            Problem: 403 or 404 if it has not on the requested site.
        """
        if site is not None:
            return [self.site_of_caller(caller, scope, site, section).slug]
        sites = caller.sites_with(scope, section)
        return None if sites is None else sorted(sites)


def api_context(request: Request) -> ApiContext:
    """Return the context of the application that serves a request."""
    context: ApiContext = request.app.state.context
    return context


async def check_gate(request: Request) -> None:
    """Reject a change of articles before the database was compared with the topics: 503."""
    await api_context(request).comparison.check()


CHANGES_ARTICLES = [Depends(check_gate)]
"""Dependencies of each route that changes articles."""


def require_scope(scope: str) -> Any:
    """Return a dependency that yields the request's caller and requires a scope (on any site)."""

    async def caller(
        request: Request, _bearer: Annotated[Any, Security(_bearer)], _cookie: Annotated[Any, Security(_cookie)]
    ) -> Caller:
        context = api_context(request)
        return with_section_aliases(await context.authentication.require(request, scope), context.sites)

    return Depends(caller)


async def any_caller(
    request: Request, _bearer: Annotated[Any, Security(_bearer)], _cookie: Annotated[Any, Security(_cookie)]
) -> Caller:
    """Return the request's caller, whatever its scopes."""
    context = api_context(request)
    return with_section_aliases(await context.authentication.identify(request), context.sites)


async def optional_caller(
    request: Request, _bearer: Annotated[Any, Security(_bearer)], _cookie: Annotated[Any, Security(_cookie)]
) -> Caller | None:
    """Return the request's caller, or None without one; an invalid token or session is rejected, not ignored."""
    context = api_context(request)
    caller = await context.authentication.find(request)
    if caller is None:
        return None
    caller.check("read")
    return with_section_aliases(caller, context.sites)


async def person_session(request: Request, _cookie: Annotated[Any, Security(_cookie)]) -> OpenSession:
    """Return the session of the request's person; programs have none."""
    authentication = api_context(request).authentication
    await authentication.identify(request)
    session = authentication.session(request)
    if session is None:
        raise Problem(403, "This is for people: log in instead of sending a token.", code="people_only")
    return session


def with_section_aliases(caller: Caller, sites: Sites) -> Caller:
    """Return a caller whose grants of single sections hold under every slug that these sections have or had."""
    grants = set()
    for grant in caller.grants:
        site = sites.get(grant.site) if grant.section else None
        slugs = [grant.section] if site is None else [grant.section, *site.section_keys(grant.section)]
        grants |= {replace(grant, section=slug) for slug in slugs}
    return caller if grants == caller.grants else replace(caller, grants=frozenset(grants))


def _article_id(article_id: Annotated[str, Path(description="ID of the article", max_length=200)]) -> str:
    if not ARTICLE_ID.match(article_id):
        raise Problem(404, "Not found.")
    return article_id


ApiContextDep = Annotated[ApiContext, Depends(api_context)]
OptionalCaller = Annotated[Caller | None, Depends(optional_caller)]
AnyCaller = Annotated[Caller, Depends(any_caller)]
PersonSession = Annotated[OpenSession, Depends(person_session)]
ReadCaller = Annotated[Caller, require_scope("read")]
WriteCaller = Annotated[Caller, require_scope("write")]
PublishCaller = Annotated[Caller, require_scope("publish")]
AdminCaller = Annotated[Caller, require_scope("admin")]
ArticleId = Annotated[str, Depends(_article_id)]
IfNoneMatch = Annotated[
    str | None,
    Header(description="ETags that the client has: the same version is 304 without a body", max_length=1_000),
]


async def load_article(
    context: ApiContext,
    connection: Connection,
    article_id: str,
    caller: Caller,
    scope: str,
    *,
    for_update: bool = False,
    also_discarded: bool = False,
) -> StoredArticle:
    """Return an article that the caller may read, and in whose section it has the scope, with names of this moment.

    To change what is public needs the scope in the sections of the published version, too.

    Raises:
        Problem: 403 if the caller lacks the scope; 404 if there is no such article among those that it may read.
    """
    return context.resolved(
        await load_stored(connection, article_id, caller, scope, for_update=for_update, also_discarded=also_discarded)
    )


async def load_stored(
    connection: Connection,
    article_id: str,
    caller: Caller,
    scope: str,
    *,
    for_update: bool = False,
    also_discarded: bool = False,
) -> StoredArticle:
    """Return the same with the names that it was stored with. Raises what `load_article` raises."""
    caller.check(scope)
    stored = await read_article(connection, article_id, for_update=for_update, also_discarded=also_discarded)
    if stored is None or not caller.allows("read", stored.head.site, stored.head.section):
        raise article_not_found(article_id)
    caller.check(scope, stored.head.site, stored.head.section)
    if scope not in ("read", "write") and stored.live is not None and stored.live.state == "published":
        caller.check(scope, stored.live.site, stored.live.section)
    return stored


@dataclass(frozen=True)
class ArticlePlace:
    """Where an article is, and its newest version."""

    site: str
    section: str
    version: int
    state: State
    changed_by: str | None
    changed_at: datetime | None
    changed_action: str | None


async def article_place(connection: Connection, article_id: str, caller: Caller, scope: str) -> ArticlePlace:
    """Return where an article is, without reading its texts, with the rights of `load_article`.

    Raises:
        Problem: 403 if the caller lacks the scope; 404 if there is no such article among those that it may read.
    """
    caller.check(scope)
    row = await connection.fetchrow(EDITING["article_place"], article_id)
    if row is None or not caller.allows("read", row["site"], row["section"]):
        raise article_not_found(article_id)
    caller.check(scope, row["site"], row["section"])
    return ArticlePlace(**dict(row))


def check_sections(caller: Caller, scope: str, before: Article | None, after: Article) -> None:
    """Require a scope in the sections of an article as it would become.

    `load_article` requires it in the section of the article as it is. Further sections that it has already are not
    checked: others may have chosen them.

    Raises:
        Problem: 403.
    """
    caller.check(scope, after.site, after.section)
    for section in after.also_in:
        if before is None or section not in (*before.also_in, before.section):
            caller.check(scope, after.site, section)


def article_not_found(article_id: str) -> Problem:
    """Return the problem of an article that does not exist, or that the caller may not know about."""
    return Problem(404, f"Article {article_id!r} not found.")
