"""A generated day of a portal whose truth is known: people of all kinds, crawlers, and fleets of programs.

Everything is drawn from a seed. Each visitor has an address and a user agent, from which the collector's own code
derives what events carry, so that a school is one address and a mobile carrier a few networks here, too.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import accumulate
from random import Random
from typing import NamedTuple

import msgspec

from services.ingest.collector.visitors import derive_client, derive_visitor_id
from services.stats.counting.decoding import RawRecord
from shared.events import PageEvent
from shared.sites import Site

SITE = Site(slug="haihau", name="H", origins=["https://haihau.example"], timezone="Asia/Ho_Chi_Minh")
DAY = date(2026, 11, 24)
MIDNIGHT = 1_795_453_200_000  # 2026-11-24T00:00 in Hải Hậu
HOUR, MINUTE = 3_600_000, 60_000
SALT = b"a salt of one day, and of no other"
RHYTHM = [2, 1, 1, 1, 2, 5, 10, 14, 13, 12, 11, 12, 14, 11, 10, 10, 11, 12, 13, 15, 16, 14, 9, 5]
"""People by the hour of the day."""


@dataclass(frozen=True)
class Crowd:
    """Visitors of one kind.

    Args:
        kind: Its name in tables.
        visitors: How many.
        views: Mean of further views after the first one.
        silent: Share of them whose pages send nothing after a view.
        agents: How many user agents they share, few of which most of them have; the first ones have their class.
        browser: Of the agents, or of all people if it is empty.
        networks: "homes", "carrier" (200 networks), or the address that all of them share.
        hours: First hour, and the one after the last; or all, in the rhythm of a day.
        articles: How many articles they read; 1: a story that spreads. 0: the home page.
        referrer: Of the first view.
        last_seconds: They come in so many seconds at the end of an hour.
    """

    kind: str
    visitors: int
    views: float = 1.2
    silent: float = 0.05
    agents: int = 300
    browser: str = ""
    networks: str = "homes"
    hours: tuple[int, int] | None = None
    articles: int = 400
    referrer: str | None = None
    last_seconds: int = 3_600

    @property
    def is_fleet(self) -> bool:
        """Whether it is programs."""
        return self.kind.startswith("fleet")


PEOPLE = [
    Crowd("readers", 9_000),
    Crowd("readers with a carrier's addresses", 11_000, networks="carrier"),
    Crowd("story that spreads", 6_000, 0.1, 0.25, 60, "; wv) FBAV/", "carrier", (13, 16), 1, "m.facebook.com"),
    Crowd("view of an app", 5_000, 0.3, 0.5, 1, "; wv) Zalo/", "carrier", None, 60),
    Crowd("app that never answers", 900, 0.4, 1.0, 1, "SomeReader/"),
    Crowd("app of a carrier that never answers", 700, 0.0, 1.0, 1, "SomePhone/", "carrier", None, 60),
    Crowd("school", 60, 3.0, 0.1, 60, "Windows NT Firefox/", "203.0.113.7", (7, 11), 30),
    Crowd("office behind a firewall", 900, 2.5, 1.0, 700, "Windows NT Chrome/", "203.0.113.9", (8, 17), 60),
    Crowd("browsers without scripts", 300, 0.6, 1.0, 4, "Opera Mini/", "carrier"),
]
PUSH = Crowd(
    "message to phones", 4_000, 0.0, 0.1, 1, "iPhone Mobile Safari/", hours=(9, 10), articles=1, last_seconds=20
)
"""Readers of one app who come at once, at the end of an hour: most pages answer in the next one."""
FLEET = Crowd("fleet of one agent", 40_000, 0.0, 1.0, 1, "Windows NT 10.0 Chrome/119", "homes", (9, 24), 400)
FLEETS = [
    FLEET,
    replace(FLEET, kind="fleet with a reader's agent", browser="Windows NT Chrome/12"),
    replace(FLEET, kind="fleet with the most frequent agent", browser="Android Mobile Chrome/0"),
    replace(FLEET, kind="fleet of twenty agents", agents=20),
    replace(FLEET, kind="fleet of one hour", visitors=3_000, hours=(20, 21)),
    replace(FLEET, kind="fleet on the home page", visitors=5_000, articles=0),
    replace(FLEET, kind="fleet with two views each", views=1.0),
    replace(FLEET, kind="fleet that answers", silent=0.0),
]
"""The last two are not found: what they do, people do."""


class Sent(NamedTuple):
    """A visitor of the day."""

    crowd: Crowd
    agent: int
    first_view: int
    """Milliseconds."""
    is_silent: bool


@dataclass
class Traffic:
    """A day's records by partition, and the truth."""

    partitions: dict[int, list[RawRecord]] = field(default_factory=dict)
    visitors: dict[str, Sent] = field(default_factory=dict)
    """By visitor ID."""


def day_of(seed: int, crowds: Sequence[Crowd], *, part: float = 1.0, partitions: int = 3) -> Traffic:
    """Return a day of a part of these crowds, with crawlers, and events that are sent twice or before midnight."""
    random, traffic = Random(seed), Traffic()
    events: list[tuple[int, int, PageEvent]] = []
    for crowd in crowds:
        for _ in range(round(crowd.visitors * part)):
            events += _visit(random, crowd, traffic)
    for _ in range(len(events) // 20):
        at = MIDNIGHT + random.randrange(-2 * HOUR, 24 * HOUR)
        events.append((at, random.randrange(partitions), _event(random, "view", at, "/", bot="crawler")))
    events += [(at + 2 * MINUTE, where, event) for at, where, event in events if random.random() < 0.01]
    events.sort(key=lambda one: one[0])
    found: defaultdict[int, list[RawRecord]] = defaultdict(list)
    for arrived, where, event in events:
        records = found[where % partitions]
        records.append(RawRecord(len(records), arrived, msgspec.json.encode(event)))
    for number in range(partitions):  # the next day's first events end the last window
        at = MIDNIGHT + 24 * HOUR + 31 * MINUTE
        event = _event(random, "view", at, "/", bot="crawler")
        found[number].append(RawRecord(len(found[number]), at, msgspec.json.encode(event)))
    traffic.partitions = dict(found)
    return traffic


def _visit(random: Random, crowd: Crowd, traffic: Traffic) -> Iterator[tuple[int, int, PageEvent]]:
    """Yield (arrival, partition, event) of one visitor, who reads for some minutes."""
    agent, network_address = user_agent(random, crowd), address(random, crowd)
    visitor = derive_visitor_id(SALT, SITE.slug, network_address, agent)
    client = derive_client(SALT, SITE.slug, network_address, agent)
    hour = random.choices(range(24), RHYTHM)[0] if crowd.hours is None else random.randrange(*crowd.hours)
    last = crowd.last_seconds * 1_000
    at, where = MIDNIGHT + (hour + 1) * HOUR - last + random.randrange(last), int(visitor, 16)
    is_silent = random.random() < crowd.silent
    before = traffic.visitors.get(visitor)
    first = min(at, before.first_view) if before else at
    was_silent = before is None or before.is_silent
    traffic.visitors[visitor] = Sent(crowd, int(client[:8], 16), first, is_silent and was_silent)
    referrer = crowd.referrer
    for _ in range(1 + poisson(random, crowd.views)):
        if at >= MIDNIGHT + 24 * HOUR:
            return
        article = f"bai-{int(random.paretovariate(0.8)) % crowd.articles}" if crowd.articles else None
        path = f"/{article}.html" if article else "/"
        fields = {"visitor": visitor, "client": client, "article": article, "path": path}
        yield at, where, _event(random, "view", at, referrer=referrer, **fields)
        referrer, seconds = None, int(random.expovariate(1 / 50)) + 3
        if not is_silent:
            for minute in range(1, seconds // 60 + 1):
                yield at + minute * MINUTE, where, _event(random, "ping", at + minute * MINUTE, **fields)
            yield at + seconds * 1000, where, _event(random, "leave", at + seconds * 1000, **fields)
        at += seconds * 1000 + 500


def _event(random: Random, kind: str, at: int, path: str, **fields: str | None) -> PageEvent:
    identity = str(uuid.UUID(int=random.getrandbits(128)))
    return PageEvent(id=identity, site=SITE.slug, kind=kind, at=at, path=path, **fields)  # type: ignore[arg-type]


def poisson(random: Random, mean: float) -> int:
    """Return a number around a mean."""
    count, product = 0, random.random()
    while product > 2.718281828**-mean:
        count, product = count + 1, product * random.random()
    return count


BROWSERS = ("Android Mobile Chrome/", "iPhone Mobile Safari/", "Windows NT Chrome/", "Windows NT Edg/", "; wv) FBAV/")
_WEIGHTS = {count: list(accumulate(1 / (rank + 3) for rank in range(count))) for count in (1, 4, 20, 60, 300, 700)}


def user_agent(random: Random, crowd: Crowd) -> str:
    """Return the user agent of one visitor."""
    rank = random.choices(range(crowd.agents), cum_weights=_WEIGHTS[crowd.agents])[0]
    browser = crowd.browser or BROWSERS[rank % len(BROWSERS)]
    return f"Mozilla/5.0 {browser}{rank}" if crowd.agents > 1 else f"Mozilla/5.0 {browser}"


def address(random: Random, crowd: Crowd) -> str:
    """Return the address of one visitor."""
    if crowd.networks == "homes":
        return f"{random.randrange(1, 223)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"
    if crowd.networks == "carrier":
        return f"171.224.{random.randrange(200)}.{random.randrange(256)}"
    return crowd.networks
