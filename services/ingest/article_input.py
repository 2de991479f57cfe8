"""What editors send: the pydantic models of the write API, with limits and examples.

Lengths are of the text after NFC. What looks wrong is refused with its field; nothing is cut to fit.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.ingest.bodies import image_url, link_url
from services.ingest.markup import MARKUP_CHARACTERS_MAX
from services.ingest.texts import TextError, clean_line, clean_text
from shared.articles import (
    ALT_CHARACTERS_MAX,
    AUTHORS_MAX,
    BLOCKS_MAX,
    CAPTION_CHARACTERS_MAX,
    LEAD_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    OLD_URL_CHARACTERS_MAX,
    OLD_URLS_MAX,
    TAG_CHARACTERS_MAX,
    TAGS_MAX,
    TITLE_CHARACTERS_MAX,
    DatePrecision,
    Kind,
)

NOTE_CHARACTERS_MAX = 500
SLUG_PATTERN = "^[a-z0-9]+(-[a-z0-9]+)*$"
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _line(value: Any) -> Any:
    return _cleaned(value, clean_line)


def _text(value: Any) -> Any:
    return _cleaned(value, clean_text)


def _cleaned(value: Any, clean: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return clean(value)
    except TextError as error:
        raise PydanticCustomError("character", "{fault}", {"fault": str(error)}) from error


def _link(value: str | None) -> str | None:
    if value is not None and (link_url(value) is None or not value.startswith(("http:", "https:", "/"))):
        raise PydanticCustomError("url", "is no address: it begins with https://, http:// or /")
    return value


def _image_address(value: str) -> str:
    target = image_url(value)
    if target is None:
        raise PydanticCustomError("url", "is no address of an image or file: it begins with /, https:// or http://")
    return target


def _in_range(value: datetime | None) -> datetime | None:
    if value is not None and not EARLIEST <= value <= LATEST:
        raise PydanticCustomError("instant", "is not between the years 1900 and 2200")
    return value.astimezone(UTC) if value else None


Line = Annotated[str, BeforeValidator(_line)]
Text = Annotated[str, BeforeValidator(_text)]
Title = Annotated[Line, Field(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
Name = Annotated[Line, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
SectionSlug = Annotated[str, Field(min_length=1, max_length=60, pattern="^[a-z0-9-]+$")]
Address = Annotated[str, Field(max_length=2_000), AfterValidator(_link)]
ImageAddress = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_image_address)]
Inline = Annotated[
    Text,
    Field(max_length=64_000, description="HTML: a, em, strong, br, sub, sup; other tags go, their text stays"),
]
OldUrl = Annotated[str, Field(min_length=2, max_length=OLD_URL_CHARACTERS_MAX, pattern=r"^/[!-~\u00a1-\U0010ffff]+$")]
Instant = Annotated[AwareDatetime, AfterValidator(_in_range), Field(description="RFC 3339 with zone")]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FocusIn(_Input):
    """The point that a crop must keep, as parts of width and height."""

    x: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)
    y: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)


class RenditionIn(_Input):
    """A smaller copy of an image, as the media store gave it."""

    url: ImageAddress
    width: int = Field(ge=1, le=20_000)
    height: int = Field(ge=1, le=20_000)
    type: str = Field("image/jpeg", pattern="^image/[a-z0-9.+-]{1,50}$")


class ImageIn(_Input):
    """An image: of the media store by `media` alone (its address and copies are filled in), or by its address.

    `alt` may be empty in a draft, not in what is published.
    """

    url: ImageAddress = Field("", validate_default=False)
    alt: Annotated[Line, Field(max_length=ALT_CHARACTERS_MAX)] = ""
    width: int | None = Field(None, ge=1, le=20_000)
    height: int | None = Field(None, ge=1, le=20_000)
    media: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="id in the media store")
    renditions: list[RenditionIn] = Field([], max_length=30)
    focus: FocusIn | None = None

    @model_validator(mode="after")
    def _named(self) -> "ImageIn":
        if not self.url and not self.media:
            raise PydanticCustomError("image", "needs the id of a medium, or a url")
        return self


class FigureIn(_Input):
    """A picture with its caption."""

    type: Literal["figure"] = "figure"
    caption: Annotated[Line, Field(max_length=CAPTION_CHARACTERS_MAX)] = ""
    image: ImageIn | None = None
    credit: Annotated[Line, Field(min_length=1, max_length=200)] | None = None


class ParagraphIn(_Input):
    """A paragraph."""

    type: Literal["paragraph"]
    html: Inline


class HeadingIn(_Input):
    """A heading; the title is the page's only h1."""

    type: Literal["heading"]
    html: Inline
    level: int = Field(2, ge=2, le=4)


class ItemIn(_Input):
    """An item of a list, and the list below it."""

    html: Inline = ""
    items: list["ItemIn"] = Field([], max_length=BLOCKS_MAX)
    ordered: bool = False


class ListIn(_Input):
    """A list."""

    type: Literal["list"]
    items: list[ItemIn] = Field(min_length=1, max_length=BLOCKS_MAX)
    ordered: bool = False


class QuoteIn(_Input):
    """Somebody else's words."""

    type: Literal["quote"]
    paragraphs: list[Inline] = Field(min_length=1, max_length=100)
    cite: Annotated[Line, Field(min_length=1, max_length=200)] | None = None


class CellIn(_Input):
    """A cell of a table."""

    html: Inline = ""
    header: bool = False
    colspan: int = Field(1, ge=1, le=100)
    rowspan: int = Field(1, ge=1, le=500)


class TableIn(_Input):
    """A table."""

    type: Literal["table"]
    rows: list[Annotated[list[CellIn], Field(min_length=1, max_length=100)]] = Field(min_length=1, max_length=500)
    caption: Annotated[Line, Field(max_length=CAPTION_CHARACTERS_MAX)] = ""


class EmbedIn(_Input):
    """A video on YouTube or Vimeo, by its address."""

    type: Literal["embed"]
    url: str | None = Field(None, max_length=2_000, examples=["https://www.youtube.com/watch?v=dQw4w9WgXcQ"])
    provider: Literal["youtube", "vimeo"] | None = None
    id: str | None = Field(None, pattern="^[A-Za-z0-9_-]{1,40}$")
    title: Annotated[Line, Field(max_length=TITLE_CHARACTERS_MAX)] = ""

    @model_validator(mode="after")
    def _named(self) -> "EmbedIn":
        if self.url is None and (self.provider is None or self.id is None):
            raise PydanticCustomError("embed", "needs a url, or a provider and an id")
        return self


class FileIn(_Input):
    """A document to download."""

    type: Literal["file"]
    url: ImageAddress
    name: Annotated[Line, Field(min_length=1, max_length=200)]
    media: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    bytes: int | None = Field(None, ge=0, le=2**40)


BlockIn = Annotated[
    ParagraphIn | HeadingIn | FigureIn | ListIn | QuoteIn | TableIn | EmbedIn | FileIn, Field(discriminator="type")
]


class SourceIn(_Input):
    """Who wrote it first."""

    name: Name = Field(examples=["Báo Nam Định"])
    label: Annotated[Line, Field(max_length=40)] = "Theo"
    url: Address | None = None


class AuthorIn(_Input):
    """A person or an organisation."""

    name: Name
    role: Annotated[Line, Field(max_length=60)] = ""
    url: Address | None = None


class CorrectionIn(_Input):
    """What was put right, as readers are told."""

    text: Annotated[Line, Field(min_length=1, max_length=1_000)]
    at: Instant


class RightsIn(_Input):
    """Who holds the rights."""

    holder: Annotated[Line, Field(max_length=NAME_CHARACTERS_MAX)] = ""
    notice: Annotated[Line, Field(max_length=500)] = ""


class SeoIn(_Input):
    """What search engines are told."""

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


class Content(_Input):
    """The fields of an article that editors write."""

    title: Title
    section: SectionSlug
    lead: Annotated[Line, Field(max_length=LEAD_CHARACTERS_MAX, description="sapo; plain text")] = ""
    body: Body = []
    body_format: Literal["html", "markdown"] = Field("html", description="what `body` is, if it is a text")
    kind: Kind = "article"
    kicker: Annotated[Line, Field(max_length=TITLE_CHARACTERS_MAX)] = ""
    subtitle: Annotated[Line, Field(max_length=TITLE_CHARACTERS_MAX)] = ""
    slug: str | None = Field(
        None, min_length=1, max_length=100, pattern=SLUG_PATTERN, description="default: made of the title"
    )
    lead_image: FigureIn | None = None
    also_in: list[SectionSlug] = Field([], max_length=10)
    source: SourceIn | None = None
    authors: list[Author] = Field([], max_length=AUTHORS_MAX)
    tags: list[TagName] = Field([], max_length=TAGS_MAX)
    language: str = Field("vi", pattern="^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8}){0,3}$", description="BCP 47")
    place: Annotated[Line, Field(max_length=NAME_CHARACTERS_MAX)] = ""
    published_at: Instant | None = Field(None, description="when readers first saw it, elsewhere; null: not known")
    date_precision: DatePrecision = "exact"
    publish_at: Instant | None = Field(None, description="not before this time, once it is approved and scheduled")
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
        [], max_length=OLD_URLS_MAX, description="paths where it stood before, such as /news/bai-1.html: they lead here"
    )


CONTENT = [name for name in Content.model_fields if name != "body_format"]
"""The fields of an article's content."""
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
    """A new article. It begins as a draft."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    site: str = Field(min_length=1, max_length=40, pattern="^[a-z0-9-]+$")
    source_system: Annotated[Line, Field(min_length=1, max_length=255)] | None = Field(
        None, description="where external_id is unique; default: api"
    )
    external_id: Annotated[Line, Field(min_length=1, max_length=255)] | None = None
    note: Note = ""

    @model_validator(mode="after")
    def _external(self) -> "ArticleIn":
        if self.source_system is not None and self.external_id is None:
            raise PydanticCustomError("external_id", "source_system needs an external_id")
        return self


READ_ONLY = frozenset(
    {"id", "number", "site", "state", "modified_at", "first_published_at", "created_at", "source_system", "external_id"}
    | {"live_version", "live_state", "url", "problem", "steps", "warnings"}
)
"""What an article that was read has besides its content."""


class ArticleReplacement(Content):
    """All fields of an article anew; what is left out goes back to its default.

    An article may be sent back as it was read: its version says what is replaced; what only we write is passed over.
    """

    version: int | None = Field(None, ge=1, le=2**31 - 1, description="the version that it replaces, or If-Match")
    note: Note = ""

    @model_validator(mode="before")
    @classmethod
    def _as_read(cls, sent: Any) -> Any:
        return (
            {name: value for name, value in sent.items() if name not in READ_ONLY} if isinstance(sent, dict) else sent
        )


class _Patch(_Input):
    """Some fields of an article; what is left out stays, null takes away (RFC 7396)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"version": 1, "title": "Tựa đề mới", "note": "đổi tựa đề"}]},
    )

    version: int | None = Field(None, ge=1, le=2**31 - 1, description="the version that it changes, or If-Match")
    note: Note = ""


def _optional() -> dict[str, Any]:
    optional = {}
    for name, kind in get_type_hints(Content, include_extras=True).items():
        field = Content.model_fields.get(name)
        if field is None:
            continue
        limits = () if get_origin(kind) is Annotated else tuple(field.metadata)
        limited = Annotated[(kind, *limits)] if limits else kind
        optional[name] = (limited | None, Field(None, description=field.description))
    return optional


ArticlePatch = create_model("ArticlePatch", __base__=_Patch, **_optional())
