"""The article as it travels on the topic `articles`: its whole state, with a rising version.

Fields that were added later have a default, so that an old message still decodes; consumers ignore unknown fields.
Lengths are in characters after NFC, sizes in pixels, times in UTC.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.events import ArticleId, SiteSlug

State = Literal["draft", "in_review", "approved", "scheduled", "published", "unpublished", "archived", "killed"]
Kind = Literal["article", "notice", "photo", "video"]
DatePrecision = Literal["exact", "day", "unknown"]
InlineHtml = Annotated[
    str, Meta(max_length=64_000, description="sanitised: a, em, strong, br, sub, sup only; 10,000 characters of text")
]
SectionSlug = Annotated[str, Meta(min_length=1, max_length=60, pattern="^[a-z0-9-]+$")]
Url = Annotated[str, Meta(max_length=2_000)]

OldUrl = Annotated[str, Meta(min_length=2, max_length=512, description="path, with its query if it has one")]

TITLE_CHARACTERS_MAX = 255
LEAD_CHARACTERS_MAX = 1_000
TEXT_CHARACTERS_MAX = 10_000
"""Of a paragraph, an item of a list, a cell: without its markup."""
CAPTION_CHARACTERS_MAX = 500
ALT_CHARACTERS_MAX = 300
FILE_NAME_CHARACTERS_MAX = 200
NAME_CHARACTERS_MAX = 150
BLOCKS_MAX = 500
LIST_DEPTH_MAX = 4
IMAGES_MAX = 200
"""A photo story is bounded by ARTICLE_BYTES_MAX, too: an image has about 1.6 KB with its renditions."""
AUTHORS_MAX = 10
OLD_URLS_MAX = 20
OLD_URL_CHARACTERS_MAX = 512
TAGS_MAX = 20
TAG_CHARACTERS_MAX = 60
ARTICLE_BYTES_MAX = 512 * 1024
"""Of the whole article as JSON: well below the 1 MiB that Kafka takes."""
PUBLICATION_BYTES_MAX = 2 * 1024
"""What a public article may have above that: dates and versions, which nobody has written and no edit can shorten."""
IMAGE_WIDTHS = (320, 640, 960, 1280, 1600)
"""The widths in which images are offered, besides that of the original."""
CROP_RATIOS = {"16:9": (16, 9), "3:2": (3, 2), "1:1": (1, 1)}
"""The crops of an image: width by height, by name."""
CROP_WIDTHS = {"16:9": (320, 640, 960, 1280, 1600), "3:2": (320, 640, 960), "1:1": (320, 640, 1200)}
"""The widths in which each crop is offered. A narrower image has its own width as the widest."""
MEDIA_PREFIX = "/media/"
"""Where the portal serves images that it keeps. Its pages show no others."""
FILE_PREFIX = "/tep/"
"""Where the portal serves the files of public articles, as downloads."""


class Paragraph(msgspec.Struct, frozen=True, tag="paragraph", tag_field="type"):
    """A paragraph of running text."""

    html: InlineHtml


class Heading(msgspec.Struct, frozen=True, tag="heading", tag_field="type"):
    """A heading inside the body; the title is the page's only h1."""

    html: InlineHtml
    level: Annotated[int, Meta(ge=2, le=4)] = 2


class Rendition(msgspec.Struct, frozen=True):
    """The same image in one width of IMAGE_WIDTHS, in one format."""

    url: Url
    width: Annotated[int, Meta(ge=1, le=20_000)]
    height: Annotated[int, Meta(ge=1, le=20_000)]
    type: Annotated[str, Meta(max_length=60, description="media type, such as image/webp")] = "image/jpeg"


class Focus(msgspec.Struct, frozen=True):
    """The point that a crop must keep, as parts of width and height from the upper left corner."""

    x: Annotated[float, Meta(ge=0, le=1)] = 0.5
    y: Annotated[float, Meta(ge=0, le=1)] = 0.5


def focus_key(focus: Focus | None) -> str:
    """Return a focus point, by default the centre, as the table `media_crops` has it: in thousandths of the sides."""
    focus = focus or Focus()
    return f"{focus.x:.3f},{focus.y:.3f}"


class Crop(msgspec.Struct, frozen=True):
    """The largest part of an image with one of CROP_RATIOS and its focus point as near the centre as possible.

    `url` shows it in its full size of `width` by `height`; `renditions` are copies, also narrower ones.
    """

    ratio: Annotated[str, Meta(pattern="^[0-9]{1,3}:[0-9]{1,3}$", description="width:height, such as 16:9")]
    url: Url
    width: Annotated[int, Meta(ge=1, le=20_000)]
    height: Annotated[int, Meta(ge=1, le=20_000)]
    renditions: Annotated[list[Rendition], Meta(max_length=30)] = []


class Image(msgspec.Struct, frozen=True):
    """An image: `url` shows it in its full size of `width` by `height`; `renditions` are smaller copies.

    `alt` may be empty in a draft, never in what is published. The size of an image on another server may be
    unknown; pages show a link to it, as they load nothing from elsewhere.
    """

    url: Url
    alt: Annotated[str, Meta(max_length=ALT_CHARACTERS_MAX)]
    width: Annotated[int, Meta(ge=1, le=20_000)] | None = None
    height: Annotated[int, Meta(ge=1, le=20_000)] | None = None
    media: Annotated[str, Meta(max_length=64, description="id in the media store: SHA-256 of the original")] | None = (
        None
    )
    renditions: Annotated[list[Rendition], Meta(max_length=30)] = []
    focus: Focus | None = None
    bytes: Annotated[int, Meta(ge=0)] | None = None
    """Of what `url` serves; None where it is not known, as of images stored before it was noted."""
    crops: Annotated[list[Crop], Meta(max_length=10)] = []
    """Of the image that stands for its article in lists and on other sites, the first that the portal serves; others
    have no crops, nor have articles of before crops were made."""


class Figure(msgspec.Struct, frozen=True, tag="figure", tag_field="type"):
    """A picture with its caption. A page saved as text has the caption only: image null."""

    caption: Annotated[str, Meta(max_length=CAPTION_CHARACTERS_MAX)]
    image: Image | None = None
    credit: Annotated[str, Meta(max_length=200)] | None = None


class Item(msgspec.Struct, frozen=True):
    """An item of a list, and the list below it, if there is one."""

    html: InlineHtml
    items: list["Item"] = []
    ordered: bool = False
    """Of the list below."""


class BulletList(msgspec.Struct, frozen=True, tag="list", tag_field="type"):
    """A list, numbered or not."""

    items: Annotated[list[Item], Meta(max_length=BLOCKS_MAX)]
    ordered: bool = False


class Quote(msgspec.Struct, frozen=True, tag="quote", tag_field="type"):
    """Somebody else's words, and whose they are."""

    paragraphs: Annotated[list[InlineHtml], Meta(max_length=100)]
    cite: Annotated[str, Meta(max_length=200)] | None = None


class Cell(msgspec.Struct, frozen=True):
    """A cell of a table; a `header` names its row or column."""

    html: InlineHtml
    header: bool = False
    colspan: Annotated[int, Meta(ge=1, le=100)] = 1
    rowspan: Annotated[int, Meta(ge=1, le=500)] = 1


class Table(msgspec.Struct, frozen=True, tag="table", tag_field="type"):
    """A table."""

    rows: Annotated[list[list[Cell]], Meta(max_length=500)]
    caption: Annotated[str, Meta(max_length=CAPTION_CHARACTERS_MAX)] = ""


class Embed(msgspec.Struct, frozen=True, tag="embed", tag_field="type"):
    """A video on another platform, one of those that are allowed."""

    provider: Literal["youtube", "vimeo"]
    id: Annotated[str, Meta(min_length=1, max_length=40, pattern="^[A-Za-z0-9_-]+$")]
    title: Annotated[str, Meta(max_length=TITLE_CHARACTERS_MAX)] = ""


class File(msgspec.Struct, frozen=True, tag="file", tag_field="type"):
    """A document to download, on this site or elsewhere."""

    url: Url
    name: Annotated[str, Meta(min_length=1, max_length=FILE_NAME_CHARACTERS_MAX)]
    media: Annotated[str, Meta(max_length=64, description="id of a file of this site")] | None = None
    bytes: Annotated[int, Meta(ge=0)] | None = None
    media_type: Annotated[str, Meta(max_length=100, description="such as application/pdf; empty if unknown")] = ""


class Related(msgspec.Struct, frozen=True, tag="related", tag_field="type"):
    """Another article of the same site, which pages show as a card while it is public.

    Its title is not repeated here: nothing of an article that is not public, or not any more, is in another one.
    """

    article: ArticleId
    number: Annotated[int, Meta(ge=1, le=2**53)] | None = None


Block = Paragraph | Heading | Figure | BulletList | Quote | Table | Embed | File | Related


class Source(msgspec.Struct, frozen=True):
    """Who wrote it first, as Vietnamese portals print it: "Theo Báo Nam Định"."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    label: Annotated[str, Meta(max_length=40)] = "Theo"
    url: Url | None = None


class Author(msgspec.Struct, frozen=True):
    """A person or an organisation."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    role: Annotated[str, Meta(max_length=60)] = ""
    url: Url | None = None


class Correction(msgspec.Struct, frozen=True):
    """A correction after publication, as the article shows it."""

    text: Annotated[str, Meta(min_length=1, max_length=1_000)]
    at: datetime


class Rights(msgspec.Struct, frozen=True):
    """The copyright holder and notice."""

    holder: Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)] = ""
    notice: Annotated[str, Meta(max_length=500)] = ""


class Seo(msgspec.Struct, frozen=True):
    """Title and description for search engines, instead of title and lead."""

    title: Annotated[str, Meta(max_length=70)] = ""
    description: Annotated[str, Meta(max_length=160)] = ""
    noindex: bool = False
    canonical: Url | None = None


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an article. `number` is the short public number in its URL; `id` never shows there."""

    id: ArticleId
    number: Annotated[int, Meta(ge=1, le=2**53)]
    site: SiteSlug
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    state: State
    title: Annotated[str, Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
    slug: Annotated[str, Meta(min_length=1, max_length=100, pattern="^[a-z0-9-]+$")]
    section: SectionSlug
    language: str
    body: Annotated[list[Block], Meta(max_length=BLOCKS_MAX)]
    modified_at: datetime
    first_published_at: datetime | None
    lead: Annotated[str, Meta(max_length=LEAD_CHARACTERS_MAX)] = ""
    source: Source | None = None
    authors: Annotated[list[Author], Meta(max_length=AUTHORS_MAX)] = []
    tags: Annotated[list[str], Meta(max_length=TAGS_MAX)] = []
    published_at: datetime | None = None
    """When it was first public, here or elsewhere; None when that is unknown (an old page without a date)."""
    date_precision: DatePrecision = "exact"
    """`day`: only the day of `published_at` is known, in the site's zone. `unknown`: publishing sets no date either."""
    kind: Kind = "article"
    kicker: Annotated[str, Meta(max_length=TITLE_CHARACTERS_MAX)] = ""
    subtitle: Annotated[str, Meta(max_length=TITLE_CHARACTERS_MAX)] = ""
    lead_image: Figure | None = None
    also_in: Annotated[list[SectionSlug], Meta(max_length=10)] = []
    place: Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)] = ""
    publish_at: datetime | None = None
    unpublish_at: datetime | None = None
    embargo_until: datetime | None = None
    priority: Annotated[int, Meta(ge=1, le=9, description="1 is the highest, as in news agencies")] = 5
    pinned_until: datetime | None = None
    featured_until: datetime | None = None
    corrections: Annotated[list[Correction], Meta(max_length=50)] = []
    rights: Rights | None = None
    seo: Seo | None = None
    allow_print: bool = True
    source_system: Annotated[str, Meta(max_length=255)] | None = None
    external_id: Annotated[str, Meta(max_length=255)] | None = None
    created_at: datetime | None = None
    old_urls: Annotated[list[OldUrl], Meta(max_length=OLD_URLS_MAX)] = []
    """Its former paths, on this or another system: they redirect to its page."""
    translation_of: ArticleId | None = None
    """The article of the same site that says the same in its first language."""
    text_updated_at: datetime | None = None
    """When what readers read last changed; None in messages of before: `modified_at` then stands for it."""


def updated_at(article: Article) -> datetime:
    """Return when what readers read of an article last changed: the one date for pages, feeds and sitemaps."""
    return article.text_updated_at or article.modified_at


def is_public(article: Article, now: datetime) -> bool:
    """Return whether the article is public at `now`: the one rule for every page, feed and API."""
    begins = (article.first_published_at, article.embargo_until)
    return (
        article.state == "published"
        and all(begin is None or begin <= now for begin in begins)
        and (article.unpublish_at is None or now < article.unpublish_at)
    )


def is_undated(article: Article) -> bool:
    """Return whether nobody knows when the article was first public, as of an old page without a date."""
    return article.published_at is None and article.date_precision == "unknown"


UNDATED = datetime(1800, 1, 1, tzinfo=UTC)
"""The sort key of articles whose date is unknown: below every dated one."""


def sort_time(article: Article) -> datetime:
    """Return the sort key of lists: when the article was first public, here or elsewhere, or UNDATED."""
    if is_undated(article):
        return UNDATED
    return article.published_at or article.first_published_at or article.modified_at


def article_path(article: Article) -> str:
    """Return the article's path on its site. The number identifies it; the slug is for people."""
    return f"/{article.slug}-{article.number}.html"


def files_of(article: Article) -> list[File]:
    """Return the files of this site that an article offers."""
    return [block for block in article.body if isinstance(block, File) and block.url.startswith(FILE_PREFIX)]


def file_id_of(block: File) -> str:
    """Return the id of the file of a block: as it names it, or as its URL does; "" for a file elsewhere."""
    if block.media:
        return block.media
    return block.url.removeprefix(FILE_PREFIX).partition("/")[0] if block.url.startswith(FILE_PREFIX) else ""


def related_ids(body: Iterable[Block]) -> list[str]:
    """Return the IDs of the articles that a body shows as cards."""
    return [block.article for block in body if isinstance(block, Related)]


def media_kind(article: Article) -> Literal["photo", "video", ""]:
    """Return whether an article is a photo or a video story: as its editors say, or because it has a video."""
    if article.kind in ("photo", "video"):
        return article.kind
    return "video" if any(isinstance(block, Embed) for block in article.body) else ""


def images_of(article: Article) -> list[Image]:
    """Return all images of an article, the lead image first."""
    figures = [article.lead_image, *(block for block in article.body if isinstance(block, Figure))]
    return [figure.image for figure in figures if figure is not None and figure.image is not None]
