"""`rebuild`: the log counted again while the system serves and counts."""

import asyncio
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.settled import settled_counter

ROOT = Path(__file__).parent.parent.parent
Wait = Callable[..., Any]


def command(system: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    return subprocess.run(
        [sys.executable, "-m", "services.stats", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class Traffic:
    """People who read while something else happens."""

    def __init__(self, system: Any) -> None:
        self.system = system
        self.accepted = 0
        self.seen: list[int] = []
        self.going = True
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.poll)]

    def send(self) -> None:
        while self.going:
            events = [
                {"id": str(uuid.uuid4()), "site": "giao-thuy", "kind": "view", "path": "/", "article": "bai-xay-lai"}
                for _ in range(20)
            ]
            if self.system.post_events(events, user_agent=self.system.another_person()).status == 202:
                self.accepted += len(events)

    def poll(self) -> None:
        while self.going:
            self.seen.append(self.system.counter("giao-thuy", measure="views")["total"])
            time.sleep(0.02)


@pytest.fixture
def traffic(system: Any) -> Iterator[Traffic]:
    traffic = Traffic(system)
    for thread in traffic.threads:
        thread.start()
    yield traffic
    traffic.going = False
    for thread in traffic.threads:
        thread.join()


def test_rebuild_under_load_changes_no_count(system: Any, traffic: Traffic, wait: Wait) -> None:
    """While people read, the log is counted again and swapped in: no counter ever falls, and nothing is lost."""
    before = system.counter("giao-thuy", measure="views")["total"] - traffic.accepted
    balance = command(system, "adjust", "--site", "giao-thuy", "--measure", "views", "--amount", "7", "--why", "test")
    assert balance.returncode == 0, balance.stderr
    wait(lambda: traffic.accepted > 200)
    for _ in range(2):
        done = command(system, "rebuild")
        assert done.returncode == 0, done.stderr
        assert "is current" in done.stdout
    traffic.going = False
    for thread in traffic.threads:
        thread.join()
    assert traffic.seen == sorted(traffic.seen)
    assert settled_counter(system, "giao-thuy", measure="views")["total"] >= traffic.accepted + 7
    done = command(system, "verify")
    assert done.returncode == 0, done.stdout[-2000:]
    assert before <= traffic.seen[0]


async def test_rebuild_repairs_manipulated_counts(system: Any, wait: Wait) -> None:
    """Counts that somebody spoilt are right again after a rebuild, and online is as it was."""
    assert command(system, "verify").returncode == 0
    right = system.counter("giao-thuy", measure="visits")
    connection = await asyncpg.connect(system.database_url)
    try:
        await connection.execute("UPDATE stats.counts SET visits = visits + 5 WHERE site = 'giao-thuy'")
    finally:
        await connection.close()
    wait(lambda: system.counter("giao-thuy", measure="visits")["total"] > right["total"], what="the spoilt counts")
    assert (await asyncio.to_thread(command, system, "verify")).returncode == 1
    done = await asyncio.to_thread(command, system, "rebuild")
    assert done.returncode == 0, done.stderr
    mended = await asyncio.to_thread(settled_counter, system, "giao-thuy", measure="visits")
    assert {name: mended[name] for name in ("today", "week", "total")} == {
        name: right[name] for name in ("today", "week", "total")
    }
    assert (await asyncio.to_thread(command, system, "verify")).returncode == 0


def test_rebuild_with_new_log_on_the_same_topic_is_refused(system: Any) -> None:
    """--new-log is refused while the topic is the one that was counted."""
    done = command(system, "rebuild", "--new-log")
    assert (done.returncode, done.stdout) == (1, "")
    assert "omit --new-log" in done.stderr
