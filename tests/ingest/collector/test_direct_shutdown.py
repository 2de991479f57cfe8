"""Events that were acknowledged in the server's thread survive outages of Kafka and the stop of their collector."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import uvloop

from services.ingest.collector.clock_check import ClockCheck
from services.ingest.collector.direct_events import DirectEvents
from services.ingest.collector.endpoints import CollectorEndpoints
from services.ingest.collector.publisher import EventPublisher
from services.ingest.collector.rate_limit import RateLimiter
from services.ingest.collector.spool import Spool
from shared.http.app import HttpApp, http_server
from shared.http.direct import ServerLoop
from shared.kafka.config import KafkaConfig
from shared.process import DRAIN_SECONDS
from shared.role import Process, Role
from shared.sites import Site, Sites
from tests.ingest.collector.fake_kafka import Broker
from tests.ingest.collector.test_direct_events import Salts
from tests.ingest.collector.test_publisher import Router
from tests.shared.http.sockets import connect

DEADLINE_SECONDS = 0.3


class Pages:
    """Pages that send one event after the other, and what became of them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.acknowledged: set[str] = set()
        self.statuses: Counter[str] = Counter()
        self.stopping = False

    async def send(self, seed: int) -> None:
        """Send until the collector has stopped."""
        rng = random.Random(seed)
        while not self.stopping:
            reader, writer = await connect(self._port)
            try:
                while await self._exchange(rng, reader, writer):
                    pass
            except (OSError, asyncio.IncompleteReadError):
                self.statuses["cut"] += 1
            writer.close()

    async def _exchange(self, rng: random.Random, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        ids = [str(uuid4()) for _ in range(rng.choice([1, 1, 3]))]
        body = json.dumps([{"id": one, "site": "haihau", "kind": "view", "path": "/"} for one in ids]).encode()
        lines = (
            "POST /e HTTP/1.1",
            "Host: haihau.example",
            "Origin: https://haihau.example",
            f"User-Agent: {rng.random()}",
        )
        writer.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body[:20])
        if rng.random() < 0.05:
            await asyncio.sleep(rng.random() * 0.2)
        writer.write(body[20:])
        async with asyncio.timeout(60):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r")[0]))
        self.statuses[head.split()[1]] += 1
        if " 202 " in head.partition("\r")[0]:
            self.acknowledged |= set(ids)
        return "connection: close" not in head


def test_acknowledged_events_survive_outages_and_the_stop(
    site: Site, broker: Broker, tmp_path: Path, free_ports: Callable[[int], int]
) -> None:
    """Each is in Kafka or on the disk, and each request has its response, while Kafka comes and goes and at the end."""
    port, spool_folder = free_ports(1), tmp_path / "0"
    pages = Pages(port)

    async def run() -> None:
        publisher = EventPublisher(
            KafkaConfig("localhost:1"),
            "page-views",
            Spool(spool_folder, 100_000_000),
            tmp_path,
            router=cast("Any", Router()),
            clock=ClockCheck(),
            deadline_seconds=DEADLINE_SECONDS,
            process=Process(),
        )
        unused = cast("Any", None)
        endpoints = CollectorEndpoints(
            Sites({site.slug: site}), cast("Any", Salts()), publisher, unused, RateLimiter(0, 1), ()
        )
        app = HttpApp()
        app.starting = ["collector"]
        app.open(Role("collector", raw_routes={"/e": endpoints.events}, direct=DirectEvents(endpoints).serve))
        server = http_server(app, "127.0.0.1", port)
        serving = asyncio.create_task(server.serve())
        sending = [asyncio.create_task(pages.send(number)) for number in range(20)]
        for _ in range(4):
            broker.is_up = not broker.is_up
            await asyncio.sleep(0.3)
        app.draining = True  # as `shared.process` stops
        pages.stopping = True
        await asyncio.sleep(DRAIN_SECONDS)
        await asyncio.wait(sending, timeout=60)  # a slow machine needs longer
        server.stop()
        await asyncio.wait([serving], timeout=60)
        await publisher.stop()
        for one in sending:
            one.result()

    uvloop.run(run(), loop_factory=ServerLoop)
    spool = Spool(spool_folder, 100_000_000)
    kept = [*broker.values, *(event.value for event in spool.read(1_000_000))]
    spool.close()
    assert pages.acknowledged <= {json.loads(one)["id"] for one in kept}
    assert set(pages.statuses) == {"202"}
