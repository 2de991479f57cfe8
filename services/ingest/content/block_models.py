"""Request models of the write API: texts, URLs, times, and the blocks of a body.

Lengths are of the text after NFC. Invalid values are rejected with the name of the field; nothing is truncated.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.ingest.content.blocks import image_url, link_url
from services.ingest.content.field_messages import Value, field_message
from services.ingest.content.normalization import TextError, clean_line, clean_text
from shared.articles import (
    ALT_CHARACTERS_MAX,
    BLOCKS_MAX,
    CAPTION_CHARACTERS_MAX,
    FILE_NAME_CHARACTERS_MAX,
    FILE_PREFIX,
    NAME_CHARACTERS_MAX,
    OLD_URL_CHARACTERS_MAX,
    TITLE_CHARACTERS_MAX,
)
from shared.old_urls import OldUrlError, old_address

NOTE_CHARACTERS_MAX = 500
CREDIT_CHARACTERS_MAX = 200
SLUG_PATTERN = "^[a-z0-9]+(-[a-z0-9]+)*$"
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\s*[+-]?[\d._]+(?:e[+-]?\d+)?\s*", re.IGNORECASE)
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far the clock of a client may be ahead."""


def invalid_value(code: str, **values: Value) -> PydanticCustomError:
    """Return the error of a validator: its type is a key of MESSAGES, its context has what the message names."""
    return PydanticCustomError(code, "{message}", {"message": field_message(code, values), **values})


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
        raise invalid_value(error.code, **error.values) from error


def _link(value: str | None) -> str | None:
    if value is not None and (link_url(value) is None or not value.startswith(("http:", "https:", "/"))):
        raise invalid_value("not_a_link")
    return value


def _old_url(value: str) -> str:
    try:
        old_address(value)
    except OldUrlError as error:
        raise invalid_value("invalid_old_url", reason=str(error)) from error
    return value


def _image_address(value: str) -> str:
    target = image_url(value)
    if target is None:
        raise invalid_value("not_a_media_url")
    return target


def _not_a_number(value: Any) -> Any:
    """Refuse numbers, which pydantic takes for seconds since 1970: 2024 is a year, and not half past midnight then."""
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise invalid_value("not_a_time")
    return value


def _in_range(value: datetime | None) -> datetime | None:
    if value is not None and not EARLIEST <= value <= LATEST:
        raise invalid_value("year_out_of_range")
    return value.astimezone(UTC) if value else None


def _not_future(code: str) -> AfterValidator:
    """Return the check that a time is not in the future; `code` says why not."""

    def check(value: datetime) -> datetime:
        if value > datetime.now(UTC) + CLOCK_TOLERANCE:
            raise invalid_value(code)
        return value

    return AfterValidator(check)


Line = Annotated[str, BeforeValidator(_line)]
Text = Annotated[str, BeforeValidator(_text)]
Title = Annotated[Line, Field(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
Name = Annotated[Line, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
SectionSlug = Annotated[str, Field(min_length=1, max_length=60, pattern="^[a-z0-9-]+$")]
Address = Annotated[str, Field(max_length=2_000), AfterValidator(_link)]
ImageAddress = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_image_address)]
Inline = Annotated[
    Text,
    Field(max_length=64_000, description="HTML: a, em, strong, br, sub, sup; other tags are removed, their text stays"),
]
OldUrl = Annotated[
    Line, Field(min_length=2, max_length=OLD_URL_CHARACTERS_MAX, pattern="^/[^ ]+$"), AfterValidator(_old_url)
]
Instant = Annotated[
    AwareDatetime, BeforeValidator(_not_a_number), AfterValidator(_in_range), Field(description="RFC 3339 with zone")
]
PastInstant = Annotated[Instant, _not_future("in_the_future")]
CorrectionInstant = Annotated[Instant, _not_future("correction_in_the_future")]


class Input(BaseModel):
    """Base of request models: unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid")


class FocusIn(Input):
    """The point that a crop must keep, as fractions of width and height."""

    x: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)
    y: float = Field(0.5, ge=0, le=1, allow_inf_nan=False)


class RenditionIn(Input):
    """A rendition of an image, as the media store returned it."""

    url: ImageAddress
    width: int = Field(ge=1, le=20_000)
    height: int = Field(ge=1, le=20_000)
    type: str = Field("image/jpeg", pattern="^image/[a-z0-9.+-]{1,50}$")


class CropIn(Input):
    """A crop of an image, as the media store returned it. Crops are filled in again when an article is saved."""

    ratio: str = Field(pattern="^[0-9]{1,3}:[0-9]{1,3}$")
    url: ImageAddress
    width: int = Field(ge=1, le=20_000)
    height: int = Field(ge=1, le=20_000)
    renditions: list[RenditionIn] = Field([], max_length=30)


class ImageIn(Input):
    """An image: by `media`, its ID in the media store (URL and renditions are filled in), or by its URL.

    `alt` may be empty in a draft, but not in a published article.
    """

    url: ImageAddress = Field("", validate_default=False)
    alt: Annotated[Line, Field(max_length=ALT_CHARACTERS_MAX)] = ""
    width: int | None = Field(None, ge=1, le=20_000)
    height: int | None = Field(None, ge=1, le=20_000)
    media: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="ID in the media store")
    renditions: list[RenditionIn] = Field([], max_length=30)
    focus: FocusIn | None = None
    bytes: int | None = Field(None, ge=0, le=2**40)
    crops: list[CropIn] = Field([], max_length=10)

    @model_validator(mode="after")
    def _require_source(self) -> "ImageIn":
        if not self.url and not self.media:
            raise invalid_value("media_or_url_required")
        return self


class FigureIn(Input):
    """An image with its caption."""

    type: Literal["figure"] = "figure"
    caption: Annotated[Line, Field(max_length=CAPTION_CHARACTERS_MAX)] = ""
    image: ImageIn | None = None
    credit: Annotated[Line, Field(min_length=1, max_length=CREDIT_CHARACTERS_MAX)] | None = None


class ParagraphIn(Input):
    """A paragraph."""

    type: Literal["paragraph"]
    html: Inline


class HeadingIn(Input):
    """A heading; the title is the page's only h1."""

    type: Literal["heading"]
    html: Inline
    level: int = Field(2, ge=2, le=4)


class ItemIn(Input):
    """An item of a list, and the list below it."""

    html: Inline = ""
    items: list["ItemIn"] = Field([], max_length=BLOCKS_MAX)
    ordered: bool = False


class ListIn(Input):
    """A list."""

    type: Literal["list"]
    items: list[ItemIn] = Field(min_length=1, max_length=BLOCKS_MAX)
    ordered: bool = False


class QuoteIn(Input):
    """A quotation."""

    type: Literal["quote"]
    paragraphs: list[Inline] = Field(min_length=1, max_length=100)
    cite: Annotated[Line, Field(min_length=1, max_length=200)] | None = None


class CellIn(Input):
    """A cell of a table."""

    html: Inline = ""
    header: bool = False
    colspan: int = Field(1, ge=1, le=100)
    rowspan: int = Field(1, ge=1, le=500)


class TableIn(Input):
    """A table."""

    type: Literal["table"]
    rows: list[Annotated[list[CellIn], Field(min_length=1, max_length=100)]] = Field(min_length=1, max_length=500)
    caption: Annotated[Line, Field(max_length=CAPTION_CHARACTERS_MAX)] = ""


class EmbedIn(Input):
    """A video on YouTube or Vimeo, by its URL."""

    type: Literal["embed"]
    url: str | None = Field(None, max_length=2_000, examples=["https://www.youtube.com/watch?v=dQw4w9WgXcQ"])
    provider: Literal["youtube", "vimeo"] | None = None
    id: str | None = Field(None, pattern="^[A-Za-z0-9_-]{1,40}$")
    title: Annotated[Line, Field(max_length=TITLE_CHARACTERS_MAX)] = ""

    @model_validator(mode="after")
    def _require_source(self) -> "EmbedIn":
        if self.url is None and (self.provider is None or self.id is None):
            raise invalid_value("video_required")
        return self


class FileIn(Input):
    """A document to download: by `media`, its ID in the library of files, or by its URL elsewhere.

    Of a file of this site, URL, size and type are filled in, and the name if it is empty.
    """

    type: Literal["file"]
    url: ImageAddress = Field("", validate_default=False)
    name: Annotated[Line, Field(max_length=FILE_NAME_CHARACTERS_MAX)] = ""
    media: str | None = Field(None, pattern="^[0-9a-f]{32}([0-9a-f]{32})?$", description="ID of a file of this site")
    bytes: int | None = Field(None, ge=0, le=2**40)
    media_type: str = Field("", max_length=100, pattern="^[a-zA-Z0-9.+/-]*$")

    @model_validator(mode="after")
    def _require_source(self) -> "FileIn":
        if not self.url and not self.media:
            raise invalid_value("media_or_url_required")
        if not self.name and not self.media and not self.url.startswith(FILE_PREFIX):
            raise invalid_value("name_required")
        return self


class RelatedIn(Input):
    """Another article of the site, shown as a card: by its ID, or by the path of its page, such as /cho-phien-12.html.

    `number` is filled in.
    """

    type: Literal["related"]
    article: str | None = Field(None, pattern="^[A-Za-z0-9_-]{1,64}$", description="ID of the article")
    url: str | None = Field(None, max_length=2_000, pattern=r"^/[^?#]*?\d{1,16}\.html$", description="path of its page")
    number: int | None = Field(None, ge=1, le=2**53)

    @model_validator(mode="after")
    def _require_source(self) -> "RelatedIn":
        if self.article is None and self.url is None:
            raise invalid_value("article_required")
        return self


BlockIn = Annotated[
    ParagraphIn | HeadingIn | FigureIn | ListIn | QuoteIn | TableIn | EmbedIn | FileIn | RelatedIn,
    Field(discriminator="type"),
]
