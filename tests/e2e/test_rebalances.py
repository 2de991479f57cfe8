"""Counters that come, go, freeze and die while events flow: the counts stay exact."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from tests.settled import settled_counter

ROOT = Path(__file__).parent.parent.parent
SEED = 20_261_124
VISITORS = 300
PARTITIONS = 12
SECONDS = 24


def start_counter(system: Any, folder: Path) -> subprocess.Popen[bytes]:
    """Start one more counter beside the system's own."""
    environment = {
        **system.environment,
        "DATABASE_URL": system.database_url,
        "KAFKA_BOOTSTRAP": system.kafka,
        "PRESSTALLY_SESSION_TIMEOUT_MS": "4000",
    }
    with (folder / "counter.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "services.stats", "counter"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )


async def produce(system: Any, until: float, chance: random.Random) -> tuple[int, set[str]]:
    """Write views straight into the topic, five in a hundred of them twice; return views and visitors."""
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka, enable_idempotence=True, acks="all", linger_ms=5)
    await producer.start()
    views, seen = 0, set()
    try:
        while time.monotonic() < until:
            sending: list[asyncio.Future[Any]] = []
            for _ in range(50):
                number = chance.randrange(VISITORS)
                visitor = f"{number:016x}"
                event = {"id": str(uuid.UUID(int=chance.getrandbits(128))), "site": "giao-thuy", "kind": "view"}
                event |= {"path": "/", "at": time.time_ns() // 1_000_000, "visitor": visitor}
                value = json.dumps(event).encode()
                for _ in range(2 if chance.random() < 0.05 else 1):
                    acknowledged = await producer.send("page-views", value, partition=number % PARTITIONS)
                    sending.append(acknowledged)
                views, seen = views + 1, seen | {visitor}
            await asyncio.gather(*sending)
            await asyncio.sleep(0.02)
    finally:
        await producer.stop()
    return views, seen


async def disturb(system: Any, folder: Path, until: float, chance: random.Random) -> None:
    """Let counters join, leave, die and freeze for longer than their session."""
    started: list[subprocess.Popen[bytes]] = []
    while time.monotonic() < until:
        running = [other for other in started if other.poll() is None]
        deed = chance.choice(["join", "join", "leave", "kill", "freeze"])
        if deed == "join" and len(running) < 2:
            started.append(start_counter(system, folder))
        elif running and deed in ("leave", "kill"):
            chance.choice(running).send_signal(signal.SIGTERM if deed == "leave" else signal.SIGKILL)
        elif deed == "freeze":
            pid = system.state()["parts"]["stats"]
            os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(5)
            os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(chance.uniform(0.5, 2))
    for other in started:
        other.terminate()
        await asyncio.to_thread(other.wait, 20)


async def test_counts_are_exact_through_rebalances(system: Any, tmp_path: Path, wait: Callable[..., Any]) -> None:
    """While counters join, leave, die and freeze, every view counts once and every visitor makes one visit."""
    measures = ("views", "visits", "visitors")
    before = {measure: settled_counter(system, "giao-thuy", measure=measure)["total"] for measure in measures}
    chance = random.Random(SEED)
    until = time.monotonic() + SECONDS
    (views, seen), _ = await asyncio.gather(
        produce(system, until, random.Random(SEED)), disturb(system, tmp_path, until, chance)
    )

    def counted() -> dict[str, int]:
        return {
            measure: system.counter("giao-thuy", measure=measure)["total"] - before[measure] for measure in measures
        }

    await asyncio.to_thread(lambda: wait(lambda: counted()["views"] >= views, 60, f"{views} views"))
    await asyncio.sleep(1)
    assert counted() == {"views": views, "visits": len(seen), "visitors": len(seen)}
    assert system.counter("giao-thuy")["online"] >= len(seen)
