"""A day of access logs whose truth is known, and the records that a collector makes of it.

Unlike those of `traffic`, its lines have an address and a user agent and nothing that is derived: bots, visitors, the
join over midnight, partitions and events are what the collector's own functions say. What crowds read has their number,
so that the counts of each crowd can be compared with the truth.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import NamedTuple

from services.ingest.collector.bots import bot_reason
from services.ingest.collector.payloads import EventPayload, encode_page_event, event_time
from services.ingest.collector.visitors import (
    ClientInfo,
    LocalDays,
    VisitorIdentity,
    derive_client,
    derive_partition_hash,
    derive_visitor_id,
    local_days,
)
from services.stats.counting.decoding import RawRecord
from tests.stats.suspects.traffic import (
    FLEET,
    HOUR,
    MIDNIGHT,
    MINUTE,
    PEOPLE,
    RHYTHM,
    SITE,
    Crowd,
    address,
    poisson,
    user_agent,
)

ARTICLES = 60
"""Of a crowd: a partition knows 2,000 new ones on a day."""
CRAWLERS = Crowd("crawlers", 6_000, 0.5, 1.0, articles=ARTICLES)
STAYING = Crowd("who stay over midnight", 300, articles=ARTICLES)
COMING = Crowd("who come after midnight", 300, 0.5, articles=ARTICLES)
CROWDS = [replace(one, articles=min(one.articles, ARTICLES)) for one in (*PEOPLE, FLEET)] + [CRAWLERS, STAYING, COMING]
CRAWLER_AGENTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) Chrome/119.0 Mobile Safari/537.36 (compatible; Googlebot/2.1)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; coccocbot-web/1.0; +http://help.coccoc.com/searchengine)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/119.0 Safari/537.36",
    "python-requests/2.31.0",
    "curl/8.5.0",
    "Go-http-client/2.0",
    "",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Safari/537.36",
)
"""The last one says that it is a browser: such a program is found only if it is a fleet."""
RETRIED, RETRIED_LATE = 0.02, 0.003
"""Shares of lines that are sent again: after two minutes, and after an outage of three hours."""
SECRET = b"a partition secret"


class Line(NamedTuple):
    """A request to the collector."""

    arrived: int
    """Milliseconds, as `age`."""
    age: int
    crowd: int
    """Its place in CROWDS."""
    address: str
    agent: str
    kind: str
    path: str
    article: str | None
    referrer: str | None
    id: uuid.UUID


def access_log(seed: int, part: float = 1.0) -> list[Line]:
    """Return the lines of a day, of a part of each crowd, in the order in which they arrive."""
    random, lines = Random(seed), []
    for number, crowd in enumerate(CROWDS):
        for _ in range(round(crowd.visitors * part)):
            lines += _visit(random, number, crowd)
    again = []
    for line in lines:
        chance = random.random()
        if CROWDS[line.crowd] is not CRAWLERS and chance < RETRIED + RETRIED_LATE:
            later = 3 * HOUR if chance < RETRIED_LATE else 2 * MINUTE
            again.append(line._replace(arrived=line.arrived + later, age=later))
    return sorted([*lines, *again], key=lambda one: one.arrived)


def _visit(random: Random, number: int, crowd: Crowd) -> Iterator[Line]:
    agent = random.choice(CRAWLER_AGENTS) if crowd is CRAWLERS else user_agent(random, crowd)
    where, at, ends = address(random, crowd), _begin(random, crowd), 0
    views = 1 + poisson(random, crowd.views)
    if crowd is STAYING:  # pages before midnight and after it, never half an hour apart
        at, ends, views = MIDNIGHT - random.randrange(1, 25 * MINUTE), MIDNIGHT + 20 * MINUTE, 99
    elif crowd is COMING:
        at = MIDNIGHT + random.randrange(1, 50 * MINUTE)
    is_silent, referrer = random.random() < crowd.silent, crowd.referrer
    for _ in range(views):
        article = f"{number:02}-{int(random.paretovariate(0.8)) % crowd.articles}" if crowd.articles else None
        path = f"/{article}.html" if article else "/"

        def line(
            kind: str, at: int, path: str = path, article: str | None = article, link: str | None = referrer
        ) -> Line:
            name = uuid.UUID(int=random.getrandbits(128))
            return Line(at, 0, number, where, agent, kind, path, article, link if kind == "view" else None, name)

        yield line("view", at)
        referrer, seconds = None, int(random.expovariate(1 / 50)) + 3
        if crowd is STAYING:
            seconds = random.randrange(60, 1_200)
        if not is_silent:
            yield from (line("ping", at + minute * MINUTE) for minute in range(1, seconds // 60 + 1))
            yield line("leave", at + seconds * 1000)
        at += seconds * 1000 + 500
        if ends and at > ends:
            return


def _begin(random: Random, crowd: Crowd) -> int:
    hour = random.choices(range(24), RHYTHM)[0] if crowd.hours is None else random.randrange(*crowd.hours)
    return MIDNIGHT + hour * HOUR + random.randrange(HOUR)


class Collected(NamedTuple):
    """What a collector made of lines."""

    partitions: dict[int, list[RawRecord]]
    bots: list[int]
    """Crowds of the lines that it took for bots."""
    visitors: dict[str, int]
    """Visitor ID of a day → crowd."""


def collect(lines: Sequence[Line], partitions: int = 3) -> Collected:
    """Turn lines into records as the collector's endpoints do."""
    found: defaultdict[int, list[RawRecord]] = defaultdict(list)
    collected, identities = Collected({}, [], {}), {}
    for line in lines:
        payload = EventPayload(
            id=line.id,
            site=SITE.slug,
            kind=line.kind,  # type: ignore[arg-type]
            path=line.path,
            article=line.article,
            referrer=f"https://{line.referrer}/" if line.referrer else None,
            age=line.age,
        )
        at = event_time(payload, line.arrived)
        days = local_days(at, SITE.zone)
        key = (line.address, line.agent, days)
        if key not in identities:
            identities[key] = _identify(line, days)
        identity = identities[key]
        records = found[identity.partition_hash % partitions]
        records.append(RawRecord(len(records), line.arrived, encode_page_event(payload, at, identity)))
        if identity.bot:
            collected.bots.append(line.crowd)
        elif identity.visitor_id and line.kind == "view":
            collected.visitors.setdefault(identity.visitor_id, line.crowd)
    return collected._replace(partitions=dict(found))


def _identify(line: Line, days: LocalDays) -> VisitorIdentity:
    origin = SITE.slug, line.address, line.agent
    bot = bot_reason(ClientInfo(line.address, line.agent))
    salt = _salt(days.today)
    return VisitorIdentity(
        derive_partition_hash(SECRET, *origin),
        derive_visitor_id(salt, *origin),
        derive_visitor_id(_salt(days.yesterday), *origin) if days.yesterday else None,
        bot,
        client=None if bot else derive_client(salt, *origin),
    )


def _salt(day: date) -> bytes:
    return f"the salt of {day}".encode()
