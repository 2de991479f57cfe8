"""What the editor API answers: views, errors with the field and the sizes, and the bounds of a request."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from starlette.responses import Response

from services.ingest.articles.publication_status import Publication
from services.ingest.articles.workflow import Kept, allowed_steps
from services.ingest.content.errors import Fault
from services.ingest.content.validation import warnings_of
from services.ingest.imports.pipeline import Result
from services.ingest.media.library import Medium
from shared.articles import Article, State, article_path, is_public


class ArticleView(Article, frozen=True, kw_only=True):
    """An article as its editors see it: the head, and what readers get of it."""

    live_version: int | None
    """The version that was last given to readers, or taken from them; null: never public."""
    live_state: State | None
    url: str | None
    """Where readers find it; null while they cannot."""
    problem: str | None
    """Why the scheduler could not publish it."""
    steps: list[str]
    """The steps that its state allows."""
    warnings: list[Fault]


class ArticleList(msgspec.Struct):
    """A page of articles as editors see them, newest first; `next` is the `cursor` of the page that follows."""

    articles: list[ArticleView]
    next: str | None


class PublicArticleList(msgspec.Struct):
    """A page of articles as readers get them."""

    articles: list[Article]
    next: str | None


class Revision(msgspec.Struct):
    """One accepted change: who did what, when and why."""

    version: int
    action: str
    state: State
    who: str
    note: str
    at: datetime
    is_told: bool
    """Readers got something else by it."""


class RevisionList(msgspec.Struct):
    """A page of revisions, newest first."""

    revisions: list[Revision]
    next: str | None


class AuditEntry(msgspec.Struct):
    """One accepted change of any article."""

    id: int
    article: str
    title: str
    version: int
    action: str
    state: State
    who: str
    note: str
    site: str
    at: datetime


class Audit(msgspec.Struct):
    """A page of the audit log, newest first."""

    entries: list[AuditEntry]
    next: str | None


class FieldChange(msgspec.Struct):
    """A field that differs between two versions."""

    field: str
    before: Any
    after: Any


class Difference(msgspec.Struct):
    """What differs between two versions; the body as a unified diff, a line for each block."""

    article: str
    before: int
    after: int
    fields: list[FieldChange]
    body: list[str]


class MediaList(msgspec.Struct):
    """A page of images, newest first."""

    media: list[Medium]
    next: str | None


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """RFC 9457. `errors` names each field that is wrong, with its limit and the value's size."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault] = []
    version: int | None = None
    missing_scope: str | None = None
    state: str | None = None
    possible_from: list[str] | None = None
    article: str | None = None


_REFERENCE = "#/components/schemas/{name}"
_KINDS = (
    Article,
    ArticleView,
    ArticleList,
    PublicArticleList,
    RevisionList,
    Audit,
    Difference,
    Publication,
    Medium,
    MediaList,
    Result,
    ProblemDocument,
)
_refs, SCHEMAS = msgspec.json.schema_components(_KINDS, ref_template=_REFERENCE)
_SCHEMA: dict[type, dict[str, Any]] = dict(zip(_KINDS, _refs, strict=True))
ETAG = {"ETag": {"schema": {"type": "string"}, "description": 'The version, such as "3"; send it back as If-Match'}}


def answers(status: int, *kinds: type, problems: Sequence[int] = (), media: str = "application/json") -> Any:
    """Return the documented answers of a route: what it gives, and its problems."""
    schemas = [_SCHEMA[kind] for kind in kinds]
    schema = {} if not schemas else schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    problem = {"content": {"application/problem+json": {"schema": _SCHEMA[ProblemDocument]}}}
    found: dict[int | str, Any] = {code: dict(problem) for code in (*problems, 400, 401, 413, 422, 503)}
    found[status] = {"content": {media: {"schema": schema}}, **({"headers": ETAG} if ArticleView in kinds else {})}
    return found


def view(kept: Kept, public_url: str, now: datetime, warnings: Sequence[Fault] = ()) -> ArticleView:
    """Return the article as its editors see it."""
    fields = {name: getattr(kept.head, name) for name in Article.__struct_fields__}
    live = kept.live
    is_open = live is not None and is_public(live, now)
    return ArticleView(
        **fields,
        live_version=None if live is None else live.version,
        live_state=None if live is None else live.state,
        url=public_url + article_path(live) if live is not None and is_open else None,
        problem=kept.problem,
        steps=allowed_steps(kept),
        warnings=[*warnings, *warnings_of(kept.head)],
    )


def json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer in JSON."""
    kept = {"cache-control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(value), status, kept, "application/json")


def with_version(value: ArticleView, status: int = 200, **headers: str) -> Response:
    """Return an article with its version as the ETag."""
    return json(value, status, {"etag": f'"{value.version}"', **headers})
