"""The messages on Kafka, except the article itself (see `articles`).

Consumers ignore unknown fields, so that a newer producer can run beside an older consumer. A missing or invalid field
is an error, and the message goes to the dead letters of its topic.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

SiteSlug = Annotated[str, Meta(min_length=1, max_length=40, pattern="^[a-z0-9-]+$")]
EventId = Annotated[str, Meta(min_length=36, max_length=36, description="UUID made by the sender")]
ARTICLE_CHARACTERS_MAX = 64
ArticleId = Annotated[str, Meta(min_length=1, max_length=ARTICLE_CHARACTERS_MAX)]
CLIENT_CLASSES = (
    "other",
    "app",
    "chrome-phone",
    "chrome-computer",
    "safari-phone",
    "safari-computer",
    "firefox-phone",
    "firefox-computer",
    "edge",
    "samsung",
    "opera",
    "coccoc",
)
"""Classes of browsers, by the first digit of a client; "app" is the view of a page inside an app."""
ClientKey = Annotated[
    str,
    Meta(
        min_length=16,
        max_length=16,
        description="16 hex digits: 1 for the class of the browser, 7 and 8 of hashes of the user agent and of the "
        "address prefix, keyed with the salt of the site's local day",
    ),
]
VisitorId = Annotated[str, Meta(min_length=16, max_length=16, description="16 hex digits, new each local day")]
Milliseconds = Annotated[int, Meta(ge=0, le=253_402_300_799_999, description="since 1970-01-01 UTC, in milliseconds")]
Measure = Literal["views", "visits", "visitors"]

OWN_TRAFFIC = "own"
"""In place of a bot's reason: an event of the site's own staff. Counters of every version keep it out of the numbers of
people, as they do with reasons that they do not know."""
PATH_CHARACTERS_MAX = 512
AGE_MS_MAX = 48 * 3_600_000
"""An event that is older when it arrives is not counted: its day is final."""
AHEAD_MS_MAX = 5 * 60_000
"""Nor is one that is further in the future: a clock is wrong."""
REFERRER_CHARACTERS_MAX = 253


class PageEvent(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One event of a visitor on a page, as the collector accepted it (topic `page-views`)."""

    id: EventId
    site: SiteSlug
    kind: Literal["view", "ping", "leave"]
    path: Annotated[str, Meta(min_length=1, max_length=PATH_CHARACTERS_MAX)]
    at: Milliseconds
    article: ArticleId | None = None
    visitor: VisitorId | None = None
    visitor_prev: VisitorId | None = None
    bot: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=64,
                description="why it is not of a person, such as crawler; own: of the site's own staff",
            ),
        ]
        | None
    ) = None
    referrer: Annotated[str, Meta(min_length=1, max_length=REFERRER_CHARACTERS_MAX)] | None = None
    visitor_limit: Annotated[
        bool, Meta(description="visitor is missing because its address had too many of them on that day")
    ] = False
    client: ClientKey | None = None
    """Only evidence depends on it: an event without it counts the same."""


class ExcludedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Visitors that turned out to be programs: those of one group whose pages did not answer, in a span of one day."""

    agent: Annotated[int, Meta(ge=0, lt=2**32, description="the first 8 hex digits of their clients, as a number")]
    begin: Annotated[int, Meta(ge=0, le=253_402_300_799, description="of their views, in seconds since 1970-01-01 UTC")]
    end: Annotated[int, Meta(ge=0, le=253_402_300_799)]


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """An audited change of a total that nobody measured, such as an opening balance (`counter-adjustments`).

    It is kept apart from the measured counts. Its reversal is a second adjustment of the opposite amount.
    """

    id: Annotated[str, Meta(min_length=36, max_length=36)]
    site: SiteSlug
    article: ArticleId | None
    measure: Measure
    amount: Annotated[int, Meta(ge=-(2**53), le=2**53)]
    who: Annotated[str, Meta(min_length=1, max_length=150)]
    why: Annotated[str, Meta(min_length=1, max_length=500)]
    at: Milliseconds
    excluded: ExcludedGroup | None = None
    """Taken out of the counts by the next rebuild; the amount is 0. What arrived later than `at` is considered by later
    rebuilds, up to 49 hours after the span. Its reversal is an adjustment whose id follows from this one's."""


class RefusedOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Views that a collector refused since its last report (`refused-origins`).

    The site does not declare the origin of the page, which is what the sender claims.
    """

    site: SiteSlug
    origin: Annotated[str, Meta(max_length=210, pattern=r"^https?://[a-z0-9.:\[\]-]+$")] | None
    """As browsers send it; None for further ones, and for what is no origin."""
    views: Annotated[int, Meta(ge=1, le=2**53, description="refused requests")]
    at: Milliseconds


class PageLive(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an article on the portal (`pages-live`).

    `live` means that the public URL serves this version or a newer one.
    """

    article: ArticleId
    version: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    status: Literal["live", "withdrawn", "failed"]
    url: str | None
    reason: str | None
    at: Milliseconds
