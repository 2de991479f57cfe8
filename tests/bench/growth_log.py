"""The part of a growing history that is still in Kafka: views of days ago, with the times at which they arrived."""

import hashlib
import random
import uuid
from dataclasses import dataclass

import msgspec
import uvloop
from aiokafka import AIOKafkaProducer

from shared.events import PageEvent
from shared.topics import PAGE_VIEWS
from tests.bench.load import AGENTS, PARTITIONS, REFERRERS, SITE, producing, share_of

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class LogFill:
    """Views to write to the log, evenly over a span; half of them are followed by a `leave`."""

    kafka: str
    seed: int
    partitions: tuple[int, ...]
    views: int
    """On all partitions."""
    articles: int
    begin_ms: int
    """Arrival of the first one."""
    end_ms: int


def log_fills(kafka: str, seed: int, views: int, articles: int, span: tuple[int, int]) -> list[LogFill]:
    """Return two fills, one for each half of the partitions."""
    halves = (tuple(range(0, PARTITIONS, 2)), tuple(range(1, PARTITIONS, 2)))
    return [LogFill(kafka, seed, half, views, articles, *span) for half in halves]


def article_id(number: int) -> str:
    """Return the id of an article, as `growth.sql` does."""
    return str(uuid.UUID(hashlib.md5(f"article {number}".encode(), usedforsecurity=False).hexdigest()))


def fill_log(job: LogFill) -> int:
    """Write the records and return their number. Runs in its own process; the topic has its senders' timestamps."""
    return uvloop.run(_fill(job))


async def _fill(job: LogFill) -> int:
    async with producing(job.kafka) as producer:
        return sum([await _fill_partition(job, producer, number) for number in job.partitions])


async def _fill_partition(job: LogFill, producer: AIOKafkaProducer, partition: int) -> int:
    chance, sent = random.Random(f"{job.seed} {partition}"), []
    wanted = share_of(job.views, partition)
    batch = producer.create_batch()
    for number in range(wanted):
        at = job.begin_ms + (job.end_ms - job.begin_ms) * number // wanted
        for event in _events(chance, job.articles, at):
            if batch.append(key=None, value=_encode(event), timestamp=at) is None:
                sent.append(
                    (batch.record_count(), await producer.send_batch(batch, PAGE_VIEWS.name, partition=partition))
                )
                batch = producer.create_batch()
                batch.append(key=None, value=_encode(event), timestamp=at)
    if batch.record_count():
        sent.append((batch.record_count(), await producer.send_batch(batch, PAGE_VIEWS.name, partition=partition)))
    for _, acknowledged in sent:
        await acknowledged
    return sum(records for records, _ in sent)


def _events(chance: random.Random, articles: int, at: int) -> list[PageEvent]:
    """Return a view and, every second time, its leave. New articles, the last numbers, are read most."""
    number = (articles - 1 - int(9.5 / (1e-4 + chance.random()) ** 2 - 9.5)) % articles
    agent = chance.choice(AGENTS)
    fields = {
        "site": SITE,
        "article": article_id(number),
        "path": f"/bai-viet-{number}.html",
        "visitor": f"{chance.getrandbits(64):016x}",
        "client": f"{agent:08x}{chance.getrandbits(32):08x}",
    }
    kinds = ("view", "leave") if chance.random() < 0.5 else ("view",)
    referrer = chance.choice(REFERRERS)
    identity = str(uuid.UUID(int=chance.getrandbits(128)))
    return [
        PageEvent(
            id=identity if kind == "view" else str(uuid.UUID(int=chance.getrandbits(128))),
            kind=kind,
            at=at,
            referrer=referrer if kind == "view" else None,
            **fields,
        )
        for kind in kinds
    ]
