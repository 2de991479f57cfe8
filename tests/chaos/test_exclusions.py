"""A fleet is taken out of the counts and put back, while a counter runs, and whatever is killed."""

import asyncio
import json
import signal
import time
import uuid
from asyncio.subprocess import DEVNULL
from contextlib import suppress
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from services.stats.admin import rebuild
from services.stats.counting.exclusions import reversal_id
from tests.chaos.cluster import Cluster, Installation
from tests.chaos.polling import becomes_true
from tests.chaos.test_topic_mismatch import ROOT, ask, command, send, views
from tests.settled import wait_until_free

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]
FLEET, PEOPLE = "3" + "0" * 15, "2" + "0" * 15


def event(number: int, client: str = FLEET, kind: str = "view") -> bytes:
    fields = {"id": str(uuid.uuid4()), "site": "haihau", "kind": kind, "path": "/", "visitor": f"{number:016x}"}
    return json.dumps({**fields, "client": client, "at": time.time_ns() // 1_000_000}).encode()


async def enter(cluster: Cluster, here: Installation, name: str, excluded: dict[str, int] | None) -> None:
    """Send an adjustment without an amount, and wait until it is in Postgres."""
    one: dict[str, Any] = {"id": name, "site": "haihau", "article": None, "measure": "visitors", "amount": 0}
    one |= {"who": "test", "why": "a fleet", "at": time.time_ns() // 1_000_000 + 1, "excluded": excluded}
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap)
    await producer.start()
    await producer.send_and_wait("counter-adjustments", json.dumps(one).encode(), key=name.encode())
    await producer.stop()

    async def is_entered() -> bool:
        return bool(await ask(here, f"SELECT count(*) FROM stats.adjustments WHERE id = '{name}'"))

    assert await becomes_true(is_entered, 60)


async def kill_rebuilds(here: Installation) -> None:
    """Kill rebuilds at several moments, the first ones before they can end."""
    part = here._part("command", ["services.stats", "rebuild"], here.cluster.url(here.database))
    ends = []
    for seconds in (0.2, 0.5, 0.7, 0.9):
        process = await asyncio.create_subprocess_exec(*part.command, cwd=ROOT, env=part.environment, stdout=DEVNULL)
        await asyncio.sleep(seconds)
        with suppress(ProcessLookupError):  # a fast machine has ended it
            process.kill()
        ends.append(await process.wait())
        await wait_until_free(here.cluster.url(here.database), rebuild.LOCK)
    assert -signal.SIGKILL in ends


async def succeeds(here: Installation, *arguments: str) -> str:
    done = await command(here, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def test_exclusion_survives_kills_and_is_reversible(cluster: Cluster, here: Installation) -> None:
    """Forty programs leave the counts and come back, exactly, through killed rebuilds and a killed counter."""
    counter = await here.start_counter()
    visitors = [event(number) for number in range(40)] + [event(number, PEOPLE) for number in range(100, 110)]
    await send(cluster, visitors)
    await send(cluster, [event(number, FLEET, "ping") for number in range(2)])  # two people have the fleet's agent
    await views(here, 50)
    hour = int(time.time()) // 3600 * 3600
    name = str(uuid.uuid4())
    await enter(cluster, here, name, {"agent": 0x30000000, "begin": hour - 3600, "end": hour + 7200})
    refused = await command(here, "verify")
    assert (refused.returncode, "(run `stats rebuild`)" in refused.stdout) == (1, True)
    await kill_rebuilds(here)
    await succeeds(here, "rebuild")
    await views(here, 12)
    assert "drift 0" in await succeeds(here, "verify")
    await send(cluster, [event(7), event(200, PEOPLE), event(1)])
    await views(here, 14)
    await here.stop_counter(counter)
    await send(cluster, [event(8), event(201, PEOPLE)])
    await here.start_counter()
    await views(here, 15)
    assert "drift 0" in await succeeds(here, "verify")
    assert "38 visitors, out of the counts" in await succeeds(here, "exclude", "--list")
    await enter(cluster, here, reversal_id(name), None)
    await kill_rebuilds(here)
    await succeeds(here, "rebuild")
    await views(here, 55)
    assert "drift 0" in await succeeds(here, "verify")
    assert "38 visitors, counted" in await succeeds(here, "exclude", "--list")
    wrong = await command(here, "adjust", "--reverse", name, "--why", "x")
    assert (wrong.returncode, "stats exclude --reverse" in wrong.stderr) == (1, True)
