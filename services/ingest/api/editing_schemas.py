"""Responses of the routes that a page of the newsroom asks while somebody writes."""

from datetime import datetime
from typing import Any

import msgspec

from services.ingest.articles.autosaves import StoredAutosave
from services.ingest.articles.comments import Comment, CommentList
from services.ingest.articles.presence import PresentPerson
from services.ingest.content.block_comparison import BlockComparison
from services.ingest.content.text_comparison import Segment
from shared.articles import State


class SavedAutosave(msgspec.Struct):
    """What was stored, and the article as it is meanwhile."""

    sequence: int
    saved_at: datetime
    head_version: int | None
    """Above the text's `base_version`: somebody has saved another version. Null: a new article."""
    head_state: State | None
    """`killed`: the text is kept, but cannot be saved."""


class AutosaveResponse(StoredAutosave, kw_only=True):
    """An unsaved text of the caller, and the article as it is meanwhile."""

    site: str
    article: str | None
    key: str | None = None
    """Of an article that does not exist yet."""
    head_version: int | None
    head_state: State | None


class AutosaveRow(msgspec.Struct, kw_only=True):
    """An unsaved text in a list, without its fields but the title."""

    site: str
    article: str | None
    key: str | None
    title: str
    tab: str
    sequence: int
    base_version: int | None
    created_at: datetime
    saved_at: datetime
    head_version: int | None
    head_state: State | None


class AutosaveList(msgspec.Struct):
    """The unsaved texts of the caller, the newest first."""

    autosaves: list[AutosaveRow]


class PresenceResponse(msgspec.Struct):
    """Who else has an article open, and its newest version."""

    others: list[PresentPerson]
    version: int
    state: State
    changed_by: str | None
    """Who made that version; `changed_at` when, `changed_action` by which change."""
    changed_at: datetime | None
    changed_action: str | None
    expires_seconds: float
    """How long the caller's presence lasts without another request."""


class PagePresenceResponse(msgspec.Struct):
    """Who else has a static page open, and its newest version."""

    others: list[PresentPerson]
    version: int
    changed_by: str
    """Who made that version; `changed_at` when."""
    changed_at: datetime
    expires_seconds: float
    """How long the caller's presence lasts without another request."""


class FieldChange(msgspec.Struct):
    """A field that differs between two versions."""

    field: str
    before: Any
    after: Any
    segments: list[Segment] | None = None
    """Of a text: its words."""


class ArticleDiff(msgspec.Struct):
    """The differences between two versions; the body as a unified diff with one line per block."""

    article: str
    before: int
    after: int
    fields: list[FieldChange]
    body: list[str]
    blocks: list[BlockComparison]
    """The body word by word, in the order of the newer version."""


EDITING_TYPES = (
    ArticleDiff,
    SavedAutosave,
    AutosaveResponse,
    AutosaveList,
    PresenceResponse,
    PagePresenceResponse,
    Comment,
    CommentList,
)
