"""Response bodies of the editor API, and their OpenAPI documentation."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from services.ingest.api.account_schemas import ACCOUNT_TYPES
from services.ingest.api.bulk_schemas import BulkResult
from services.ingest.api.editing_schemas import EDITING_TYPES
from services.ingest.api.front_page_schemas import FRONT_PAGE_TYPES
from services.ingest.api.request_language import language_headers, localized_warnings
from services.ingest.api.structure_schemas import STRUCTURE_TYPES
from services.ingest.api.webhook_schemas import WEBHOOK_TYPES
from services.ingest.articles.carry_over import Conflict
from services.ingest.articles.copies import Refusal
from services.ingest.articles.live_copy import CopyField
from services.ingest.articles.previews import PreviewLink, PreviewLinkList
from services.ingest.articles.publication_status import PublicationStatus
from services.ingest.content.errors import FieldError
from services.ingest.files.library import FileItem, FileWithUses
from services.ingest.imports.pipeline import ImportResult
from services.ingest.media.library import MediaItem
from services.ingest.media.uses import MediaWithUses
from shared.articles import Article, Author, DatePrecision, Figure, Kind, State

Row = TypeVar("Row", bound=msgspec.Struct)


class CarryOverResult(msgspec.Struct):
    """Which changes of the live version the working and the scheduled version got."""

    carried: list[CopyField]
    possible: list[CopyField]
    """What they can get without a conflict, and did not get because the request did not ask for it."""
    conflicts: list[Conflict]


class SupersededSchedule(msgspec.Struct):
    """A version that was scheduled, and is not any more, because a newer one has replaced it."""

    version: int
    scheduled_for: datetime | None


class ArticleResponse(Article, frozen=True, kw_only=True):
    """An article for editors: the working version, and the state of the published one."""

    live_version: int | None
    """The version that was last published or withdrawn; null: never public."""
    live_state: State | None
    url: str | None
    """Public URL; null while the article is not public."""
    problem: str | None
    """Why the scheduler could not publish it; null: no error."""
    steps: list[str]
    """The workflow transitions that its state and the caller's scopes allow."""
    warnings: list[FieldError]
    scheduled_version: int | None
    """The version that waits for its time; null: none. The working version may be another one already."""
    scheduled_for: datetime | None
    """When that is."""
    differs_from_live: list[str] | None
    """The fields in which the working version differs from the live one; null: never public."""
    differs_from_scheduled: list[str] | None
    """The fields in which the working version differs from the scheduled one; null: none is scheduled."""
    behind_live: list[str]
    """The fields that were changed in the live version since the working one was made, and that this does not have."""
    refusal: Refusal | None
    """Why the last version was refused, by whom and when; null: it was not, or one was approved since."""
    carry_over: CarryOverResult | None = None
    """Of a change of the live version: which other versions got it, or could not."""
    superseded_schedule: SupersededSchedule | None = None
    """Of a publication or a schedule: the scheduled version that it has replaced."""
    kept_from_live: list[str] | None = None
    """Of a publication: the fields other than texts that stay as they were in the former live version."""


class PublicArticleRow(msgspec.Struct, kw_only=True):
    """An article in a list, without its body."""

    id: str
    number: int
    site: str
    version: int
    state: State
    title: str
    slug: str
    section: str
    language: str
    lead: str
    kind: Kind
    tags: list[str]
    authors: list[Author]
    lead_image: Figure | None
    published_at: datetime | None
    date_precision: DatePrecision
    first_published_at: datetime | None
    modified_at: datetime
    translation_of: str | None


class ArticleRow(PublicArticleRow, kw_only=True):
    """An article in a list for editors, without its body."""

    created_at: datetime | None
    source_system: str | None
    external_id: str | None
    publish_at: datetime | None
    unpublish_at: datetime | None
    live_version: int | None
    live_state: State | None
    url: str | None
    problem: str | None
    steps: list[str]
    due_at: datetime | None
    """When the scheduler publishes it; null: it is not scheduled."""
    changed_by: str | None
    """Who made the newest version; `changed_at` when, `changed_action` by which change."""
    changed_at: datetime | None
    changed_action: str | None
    scheduled_version: int | None
    refusal: Refusal | None


class ShortArticleRow(msgspec.Struct, kw_only=True):
    """An article in a list for editors with `fields=short`: what a table of articles shows."""

    id: str
    number: int
    site: str
    version: int
    state: State
    title: str
    section: str
    modified_at: datetime
    published_at: datetime | None
    live_version: int | None
    live_state: State | None
    url: str | None
    problem: str | None
    due_at: datetime | None
    refusal: Refusal | None
    changed_by: str | None
    changed_at: datetime | None
    changed_action: str | None


def as_row(kind: type[Row], article: Article, **more: Any) -> Row:
    """Return an article as a row of a list, with more fields that are not the article's own."""
    return kind(**{name: more[name] if name in more else getattr(article, name) for name in kind.__struct_fields__})


class ArticleList(msgspec.Struct):
    """A page of articles for editors, newest first; `next` is the `cursor` of the following page."""

    articles: list[ArticleRow]
    next: str | None


class ShortArticleList(msgspec.Struct):
    """The same with `fields=short`."""

    articles: list[ShortArticleRow]
    next: str | None


class ArticleCounts(msgspec.Struct):
    """How many articles the filters match, by state of the working version; states without articles have 0."""

    sites: list[str]
    """The sites that were counted."""
    counts: dict[str, int]
    total: int


class FullArticleList(msgspec.Struct):
    """The same with `full=true`: whole articles."""

    articles: list[ArticleResponse]
    next: str | None


def without_source(article: Article) -> Article:
    """Return an article without the ID that it has in its source system, which only editors see."""
    return msgspec.structs.replace(article, source_system=None, external_id=None)


class PublicArticleList(msgspec.Struct):
    """A page of public articles."""

    articles: list[PublicArticleRow]
    next: str | None


class FullPublicArticleList(msgspec.Struct):
    """The same with `full=true`: whole articles."""

    articles: list[Article]
    next: str | None


class Revision(msgspec.Struct, rename={"is_public_change": "is_told"}):
    """An accepted change: who did what, when and why."""

    version: int
    action: str
    state: State
    who: str
    note: str
    at: datetime
    is_public_change: bool
    """It changed the published version."""
    copies: list[str] = []
    """The copies that it made or changed: working, live, scheduled. The revision has the working one, if that is one of
    them, else the live or the scheduled one."""


class RevisionList(msgspec.Struct):
    """A page of revisions, newest first."""

    revisions: list[Revision]
    next: str | None


class AuditEntry(msgspec.Struct, omit_defaults=True):
    """An accepted change of an article, or of anything else."""

    id: int
    kind: str
    """The kind of the object: article, person, file, section and so on."""
    object: str
    """The object's id."""
    action: str
    who: str
    at: datetime
    site: str | None = None
    """Omitted: it concerns the whole installation."""
    article: str | None = None
    title: str | None = None
    version: int | None = None
    state: State | None = None
    note: str | None = None
    details: dict[str, Any] | None = None
    """Of an object that is no article: what changed."""


class AuditPage(msgspec.Struct):
    """A page of the audit log, newest first."""

    entries: list[AuditEntry]
    next: str | None


class MediaList(msgspec.Struct):
    """A page of images, newest first."""

    media: list[MediaWithUses]
    next: str | None


class FileList(msgspec.Struct):
    """A page of files, newest first."""

    files: list[FileWithUses]
    next: str | None


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """A problem document (RFC 9457). `errors` lists each invalid field with its limit and the size of the value."""

    type: str
    title: str
    status: int
    detail: str
    code: str = ""
    """What happened, for programs: docs/errors.md lists all."""
    retry_after_seconds: int | None = None
    errors: list[FieldError] = []
    version: int | None = None
    changed_by: str | None = None
    """Of a 412: who made the current version; `changed_at` when, `action` by which change."""
    changed_at: datetime | None = None
    action: str | None = None
    missing_scope: str | None = None
    state: str | None = None
    possible_from: list[str] | None = None
    article: str | None = None
    conflicts: list[Conflict] = []
    """Of a 409 of a change of the live version: what could not be carried over."""
    sequence: int | None = None
    """Of a 409 of an unsaved text: the number of the stored one; `tab` has sent it, `saved_at` when."""
    tab: str | None = None
    saved_at: datetime | None = None
    reason: str | None = None
    """Why an uploaded file was refused: macros, encrypted, polyglot and so on."""


_REFERENCE = "#/components/schemas/{name}"
_TYPES = (
    Article,
    ArticleResponse,
    ArticleList,
    ShortArticleList,
    ArticleCounts,
    FullArticleList,
    PublicArticleList,
    FullPublicArticleList,
    RevisionList,
    AuditPage,
    PublicationStatus,
    MediaItem,
    MediaWithUses,
    MediaList,
    FileItem,
    FileWithUses,
    FileList,
    ImportResult,
    PreviewLink,
    PreviewLinkList,
    BulkResult,
    ProblemDocument,
    *EDITING_TYPES,
    *FRONT_PAGE_TYPES,
    *STRUCTURE_TYPES,
    *WEBHOOK_TYPES,
    *ACCOUNT_TYPES,
)
_refs, SCHEMAS = msgspec.json.schema_components(_TYPES, ref_template=_REFERENCE)
_SCHEMA: dict[type, dict[str, Any]] = dict(zip(_TYPES, _refs, strict=True))
ETAG = {
    "ETag": {
        "schema": {"type": "string"},
        "description": 'The version, such as "3"; of GET with a digest of the response, such as "3-0b7d41f2"; '
        "to be sent as If-Match",
    }
}


WITHOUT_BODY = {204: "It is done; there is no body", 303: "Another page; there is no body"}
"""Statuses of responses without a body, with what OpenAPI says of them."""


def response_docs(
    status: int,
    *types: type,
    problems: Sequence[int] = (),
    media: str = "application/json",
    not_modified: bool = False,
) -> Any:
    """Return the OpenAPI responses of a route: its result and its problems."""
    schemas = [_SCHEMA[kind] for kind in types]
    schema = {} if not schemas else schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    problem = {"content": {"application/problem+json": {"schema": _SCHEMA[ProblemDocument]}}}
    responses: dict[int | str, Any] = {code: dict(problem) for code in (*problems, 400, 401, 408, 413, 422, 429, 503)}
    if not_modified:
        responses[304] = {"description": "Not modified since the version of If-None-Match", "headers": ETAG}
    responses[status] = {
        **({} if status in WITHOUT_BODY else {"content": {media: {"schema": schema}}}),
        **({"headers": ETAG} if ArticleResponse in types else {}),
    }
    if status in WITHOUT_BODY:
        responses[status]["description"] = WITHOUT_BODY[status]
    return responses


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response that is not cached."""
    all_headers = {"cache-control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(value), status, all_headers, "application/json")


def article_with_etag(value: ArticleResponse, status: int = 200, **headers: str) -> Response:
    """Return a response with an article, and its version as the ETag."""
    return json_response(localized(value), status, {"etag": f'"{value.version}"', **language_headers(), **headers})


def localized(value: ArticleResponse) -> ArticleResponse:
    """Return a response whose warnings are in the language of the caller."""
    return msgspec.structs.replace(value, warnings=localized_warnings(value.warnings))
