"""Generated page views, sent as fast as possible or at a steady rate.

This code runs in its own processes, so that generating events does not slow down the measurement.
"""

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import msgspec
import uvloop
from aiokafka import AIOKafkaProducer

from shared.events import PageEvent
from shared.topics import PAGE_VIEWS

SITE = "haihau"
PARTITIONS = 12
ARTICLES = 2_000
BATCH_BYTES = 128 * 1024
"""As in the collector's producer."""
REFERRERS = (None, "www.google.com", "www.facebook.com", "zalo.me", "www.bing.com")
AGENTS = [number * 2_654_435_761 % 2**32 for number in range(300)]
WORDS = ("hoi", "nghi", "so", "ket", "cong", "tac", "phong", "chong", "thien", "tai", "nam", "hoc", "moi", "le", "hoi")

# A new topic has no leaders for a moment; aiokafka retries, but would log that among the results.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


class Views:
    """An endless, seeded source of views: few articles get most of the views."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        site = random.Random(seed % 1_000)  # the articles are the same for all sources of a run
        self._ids = [_uuid(site.getrandbits(128)) for _ in range(ARTICLES)]
        self._paths = [f"/tin-tuc/{'-'.join(site.sample(WORDS, 8))}-{number:04}.html" for number in range(ARTICLES)]
        self._weights = list(accumulate(1 / (rank + 1) for rank in range(ARTICLES)))
        self._drawn: list[int] = []

    def value(self, visitor: int, at: int) -> bytes:
        """Return one view as encoded in Kafka."""
        if not self._drawn:
            self._drawn = self._chance.choices(range(ARTICLES), cum_weights=self._weights, k=10_000)
        article = self._drawn.pop()
        event = PageEvent(
            id=_uuid(self._chance.getrandbits(128)),
            site=SITE,
            kind="view",
            path=self._paths[article],
            at=at,
            article=self._ids[article],
            visitor=hashlib.blake2b(visitor.to_bytes(8), digest_size=8).hexdigest(),
            referrer=REFERRERS[article % len(REFERRERS)],
            client=f"{AGENTS[visitor % len(AGENTS)]:08x}{visitor * 2_654_435_761 % 2**32:08x}",
        )
        return _encode(event)

    def visitor(self, visitors: int, partition: int | None = None) -> int:
        """Return a random visitor, of this partition if one is given."""
        if partition is None:
            return self._chance.randrange(visitors)
        return partition + PARTITIONS * self._chance.randrange(share_of(visitors, partition))


_encode = msgspec.json.Encoder().encode


def _uuid(number: int) -> str:
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def share_of(total: int, partition: int) -> int:
    """Return how many of `total` numbers belong to a partition: a visitor's is its number modulo the partitions."""
    return (total - partition + PARTITIONS - 1) // PARTITIONS


def now() -> int:
    """Return the current time in milliseconds, as in events."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Fill:
    """A number of views to send in large batches."""

    kafka: str
    seed: int
    partitions: tuple[int, ...]
    views: int
    """On all partitions of the topic; a fill sends the share of its partitions."""
    visitors: int
    each_once: bool = False
    """Every visitor comes exactly once, in numerical order."""
    seconds: float = 0.0
    """Duration; 0 is as fast as possible."""


def fill(job: Fill) -> int:
    """Send the views to the topic and return their number. Runs in its own process."""
    return uvloop.run(_fill(job))


@asynccontextmanager
async def producing(kafka: str, linger_ms: int = 0) -> AsyncIterator[AIOKafkaProducer]:
    """Yield a producer with the settings of the collector's."""
    # Idempotent: a batch that is repeated after a lost response is stored once, so the number is exact.
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=linger_ms, max_batch_size=BATCH_BYTES
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _fill(job: Fill) -> int:
    async with producing(job.kafka) as producer:
        return await _send_all(job, producer)


async def _send_all(job: Fill, producer: AIOKafkaProducer) -> int:
    views = Views(job.seed + job.partitions[0])
    waiting = {number: _visitors(job, views, number) for number in job.partitions}
    all_of_them = sum(share_of(job.views, number) for number in job.partitions)
    # Batches of a tenth of a second when they are spread, as a busy collector sends.
    records_max = max(1, int(all_of_them / job.seconds / 10 / len(waiting))) if job.seconds else all_of_them
    begun, sent, acknowledged = time.monotonic(), 0, []
    while waiting:
        for number in list(waiting):
            batch, ended = _next_batch(producer, views, waiting[number], records_max)
            if batch.record_count():
                acknowledged.append(await producer.send_batch(batch, PAGE_VIEWS.name, partition=number))
                sent += batch.record_count()
            if ended:
                del waiting[number]
        if job.seconds:
            await asyncio.sleep(max(0.0, begun + job.seconds * sent / all_of_them - time.monotonic()))
    await asyncio.gather(*acknowledged)
    return sent


def _visitors(job: Fill, views: Views, partition: int) -> Iterator[int]:
    for place in range(share_of(job.views, partition)):
        yield partition + PARTITIONS * place if job.each_once else views.visitor(job.visitors, partition)


def _next_batch(
    producer: AIOKafkaProducer, views: Views, visitors: Iterator[int], records_max: int
) -> tuple[Any, bool]:
    batch, at = producer.create_batch(), now()
    while batch.record_count() < records_max and batch.size() < BATCH_BYTES - 1_024:
        visitor = next(visitors, None)
        if visitor is None:
            return batch, True
        added = batch.append(key=None, value=views.value(visitor, at), timestamp=None)
        assert added is not None, "there was room left"
    return batch, False


@dataclass(frozen=True)
class Steady:
    """Single views at a constant rate."""

    kafka: str
    seed: int
    per_second: float
    seconds: float
    visitors: int


@dataclass(frozen=True)
class Sent:
    """A view in Kafka: its position, and when it occurred, by time.monotonic(), which all processes share."""

    visitor: int
    partition: int
    offset: int
    at: float


def steady(job: Steady) -> list[Sent]:
    """Send the views and return all of them. Runs in its own process."""
    return uvloop.run(_steady(job))


async def _steady(job: Steady) -> list[Sent]:
    views = Views(job.seed)
    sending: list[tuple[int, float, asyncio.Future[Any]]] = []
    async with producing(job.kafka, linger_ms=2) as producer:
        begun, wanted = time.monotonic(), round(job.per_second * job.seconds)
        while len(sending) < wanted:
            while len(sending) < min(wanted, (time.monotonic() - begun) * job.per_second):
                visitor = views.visitor(job.visitors)
                at, value = time.monotonic(), views.value(visitor, now())
                partition = visitor % PARTITIONS
                sending.append((visitor, at, await producer.send(PAGE_VIEWS.name, value, partition=partition)))
            await asyncio.sleep(0.001)
        acknowledged = await asyncio.gather(*(future for _, _, future in sending))
    return [
        Sent(visitor, one.partition, one.offset, at)
        for (visitor, at, _), one in zip(sending, acknowledged, strict=True)
    ]


def fills(kafka: str, seed: int, views: int, visitors: int, **more: Any) -> list[Fill]:
    """Return two fills that together send all views: one for each half of the partitions."""
    halves = (tuple(range(0, PARTITIONS, 2)), tuple(range(1, PARTITIONS, 2)))
    return [Fill(kafka, seed, half, views, visitors, **more) for half in halves]
