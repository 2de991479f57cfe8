"""Request models of the write API: articles, with limits and examples.

Lengths are of the text after NFC. Invalid values are rejected with the name of the field; nothing is truncated.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, get_origin, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, StrictBool, Tag, create_model, model_validator

from services.ingest.content.block_models import (
    NOTE_CHARACTERS_MAX,
    SLUG_PATTERN,
    Address,
    BlockIn,
    CorrectionInstant,
    FigureIn,
    Input,
    Instant,
    Line,
    Name,
    OldUrl,
    PastInstant,
    SectionSlug,
    Text,
    Title,
    invalid_value,
)
from services.ingest.content.sanitizer import MARKUP_CHARACTERS_MAX
from shared.articles import (
    AUTHORS_MAX,
    BLOCKS_MAX,
    LEAD_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    OLD_URLS_MAX,
    TAG_CHARACTERS_MAX,
    TAGS_MAX,
    TITLE_CHARACTERS_MAX,
    DatePrecision,
    Kind,
)
from shared.events import ARTICLE_CHARACTERS_MAX


class SourceIn(Input):
    """The original source."""

    name: Name = Field(examples=["Báo Nam Định"])
    label: Annotated[Line, Field(max_length=40)] = "Theo"
    url: Address | None = None


class AuthorIn(Input):
    """An author: a person or an organisation."""

    name: Name
    role: Annotated[Line, Field(max_length=60)] = ""
    url: Address | None = None


class CorrectionIn(Input):
    """A published correction."""

    text: Annotated[Line, Field(min_length=1, max_length=1_000)]
    at: CorrectionInstant


class RightsIn(Input):
    """The rights holder."""

    holder: Annotated[Line, Field(max_length=NAME_CHARACTERS_MAX)] = ""
    notice: Annotated[Line, Field(max_length=500)] = ""


class SeoIn(Input):
    """Metadata for search engines."""

    title: Annotated[Line, Field(max_length=70)] = ""
    description: Annotated[Line, Field(max_length=160)] = ""
    noindex: bool = False
    canonical: Address | None = None


Author = Annotated[AuthorIn, BeforeValidator(lambda value: {"name": value} if isinstance(value, str) else value)]
TagName = Annotated[Line, Field(min_length=1, max_length=TAG_CHARACTERS_MAX)]
Markup = Annotated[Text, Field(max_length=MARKUP_CHARACTERS_MAX)]
Body = Annotated[
    Annotated[Markup, Tag("text")] | Annotated[list[BlockIn], Field(max_length=BLOCKS_MAX), Tag("blocks")],
    Discriminator(lambda value: "blocks" if isinstance(value, list) else "text"),
    Field(description="HTML or Markdown as a text (see body_format), or a list of blocks"),
]


class Content(Input):
    """The fields of an article that editors write."""

    title: Title
    section: SectionSlug
    lead: Annotated[Line, Field(max_length=LEAD_CHARACTERS_MAX, description="sapo; plain text")] = ""
    body: Body = Field([])
    body_format: Literal["html", "markdown"] = Field("html", description="the format of `body`, if it is a text")
    kind: Kind = "article"
    kicker: Annotated[Line, Field(max_length=TITLE_CHARACTERS_MAX)] = ""
    subtitle: Annotated[Line, Field(max_length=TITLE_CHARACTERS_MAX)] = ""
    slug: str | None = Field(
        None, min_length=1, max_length=100, pattern=SLUG_PATTERN, description="default: derived from the title"
    )
    lead_image: FigureIn | None = None
    also_in: list[SectionSlug] = Field([], max_length=10)
    source: SourceIn | None = None
    authors: list[Author] = Field([], max_length=AUTHORS_MAX)
    tags: list[TagName] = Field([], max_length=TAGS_MAX)
    language: str = Field("vi", pattern="^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3}$", description="BCP 47")
    place: Annotated[Line, Field(max_length=NAME_CHARACTERS_MAX)] = ""
    published_at: PastInstant | None = Field(None, description="first publication elsewhere; null: unknown")
    date_precision: DatePrecision = "exact"
    publish_at: Instant | None = Field(None, description="earliest publication, once approved and scheduled")
    unpublish_at: Instant | None = None
    embargo_until: Instant | None = None
    priority: int = Field(5, ge=1, le=9)
    pinned_until: Instant | None = None
    featured_until: Instant | None = None
    corrections: list[CorrectionIn] = Field([], max_length=50)
    rights: RightsIn | None = None
    seo: SeoIn | None = None
    allow_print: bool = True
    old_urls: list[OldUrl] = Field(
        [], max_length=OLD_URLS_MAX, description="former paths, such as /news/bai-1.html, which redirect here"
    )
    translation_of: str | None = Field(
        None,
        min_length=1,
        max_length=ARTICLE_CHARACTERS_MAX,
        description="ID of the article of the same site that this one translates; their pages link to each other",
    )


CONTENT_FIELDS = [name for name in Content.model_fields if name != "body_format"]
"""Names of the content fields of an article."""
Note = Annotated[Line, Field(max_length=NOTE_CHARACTERS_MAX)]

EXAMPLE: dict[str, Any] = {
    "site": "haihau",
    "section": "tin-tuc",
    "title": "Hải Hậu mở lại chợ phiên sau tu sửa",
    "lead": "Sáng 4/3, chợ phiên Cồn mở lại sau tám tháng.",
    "body": "<p>Từ sáng sớm, bà con đã đông đủ.</p>"
    '<figure><img src="/media/cho-con.jpg" alt="Cổng chợ Cồn, nhiều người qua lại" width="1280" height="853">'
    "<figcaption>Cổng chợ Cồn trong ngày mở lại.</figcaption></figure>",
    "authors": [{"name": "Trần Nam", "role": "Phóng viên"}],
    "source": {"name": "Báo Nam Định"},
    "tags": ["chợ phiên", "Hải Hậu"],
}


class ArticleIn(Content):
    """A new article. It starts as a draft."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    site: str = Field(min_length=1, max_length=40, pattern="^[a-z0-9-]+$")
    source_system: Annotated[Line, Field(min_length=1, max_length=255)] | None = Field(
        None, description="the namespace of external_id; default: api"
    )
    external_id: Annotated[Line, Field(min_length=1, max_length=255)] | None = None
    note: Note = ""

    @model_validator(mode="after")
    def _external(self) -> "ArticleIn":
        if self.source_system is not None and self.external_id is None:
            raise invalid_value("external_id_required")
        return self


READ_ONLY = frozenset(
    {"id", "number", "site", "state", "modified_at", "first_published_at", "created_at", "source_system", "external_id"}
    | {"live_version", "live_state", "url", "problem", "steps", "warnings", "scheduled_version", "scheduled_for"}
    | {"differs_from_live", "differs_from_scheduled", "behind_live", "refusal", "carry_over", "superseded_schedule"}
    | {"kept_from_live", "text_updated_at"}
)
"""Fields that the API returns besides the content."""


class ArticleReplacement(Content):
    """Replaces all content fields of an article; omitted fields are reset to their defaults.

    An article may be sent back as it was read: `version` is the version to replace, and read-only fields are ignored.
    """

    version: int | None = Field(None, ge=1, le=2**31 - 1, description="the version to replace; or If-Match")
    note: Note = ""

    @model_validator(mode="before")
    @classmethod
    def _as_read(cls, sent: Any) -> Any:
        return (
            {name: value for name, value in sent.items() if name not in READ_ONLY} if isinstance(sent, dict) else sent
        )


class _Patch(Input):
    """Changes some fields of an article: omitted fields stay, null removes a field (RFC 7396)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"version": 1, "title": "Tựa đề mới", "note": "đổi tựa đề"}]},
    )

    version: int | None = Field(None, ge=1, le=2**31 - 1, description="the version to change; or If-Match")
    note: Note = ""


def _optional(names: Iterable[str]) -> dict[str, Any]:
    optional = {}
    for name, kind in get_type_hints(Content, include_extras=True).items():
        field = Content.model_fields.get(name)
        if field is None or name not in names:
            continue
        limits = () if get_origin(kind) is Annotated else tuple(field.metadata)
        limited = Annotated[(kind, *limits)] if limits else kind
        optional[name] = (limited | None, Field(None, description=field.description))
    return optional


ArticlePatch = create_model("ArticlePatch", __base__=_Patch, **_optional(Content.model_fields))

LIVE_FIELDS = (
    *("title", "lead", "body", "kicker", "subtitle", "lead_image", "authors", "source", "place"),
    *("section", "also_in", "tags", "seo", "slug", "unpublish_at", "priority", "pinned_until", "featured_until"),
    "corrections",
)
"""The fields of the live copy that can be changed without a publication."""


class NewCorrection(Input):
    """A correction to add to those that the article has."""

    text: Annotated[Line, Field(min_length=1, max_length=1_000)]
    at: CorrectionInstant | None = Field(None, description="default: now")


class _LivePatch(_Patch):
    """Changes some fields of the live version at once: omitted fields stay, null removes a field (RFC 7396)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"version": 7, "title": "Tựa đề đúng", "carry_over": True, "note": "sửa lỗi chính tả"}]
        },
    )

    version: int | None = Field(None, ge=1, le=2**31 - 1, description="the version that was read; or If-Match")
    correction: NewCorrection | None = Field(None, description="added to `corrections`; not together with them")
    carry_over: StrictBool | Literal["where_possible"] = Field(
        False,
        description="whether to make the same change in the working and the scheduled version: true: all or nothing; "
        "where_possible: all that does not conflict. Without fields: what they lack of former changes",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> "_LivePatch":
        if self.correction is not None and "corrections" in self.model_fields_set:
            raise invalid_value("correction_or_corrections")
        return self


LivePatch = create_model("LivePatch", __base__=_LivePatch, **_optional((*LIVE_FIELDS, "body_format")))
