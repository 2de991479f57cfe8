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


class Readers:
    """People who read while something else happens."""

    def __init__(self, system: Any) -> None:
        self.system = system
        self.accepted = 0
        self.seen: list[int] = []
        self.going = True
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.look)]

    def send(self) -> None:
        while self.going:
            events = [
                {"id": str(uuid.uuid4()), "site": "giao-thuy", "kind": "view", "path": "/", "article": "bai-xay-lai"}
                for _ in range(20)
            ]
            if self.system.post_events(events, user_agent=self.system.another_person()).status == 202:
                self.accepted += len(events)

    def look(self) -> None:
        while self.going:
            self.seen.append(self.system.counter("giao-thuy", measure="views")["total"])
            time.sleep(0.02)


@pytest.fixture
def readers(system: Any) -> Iterator[Readers]:
    readers = Readers(system)
    for thread in readers.threads:
        thread.start()
    yield readers
    readers.going = False
    for thread in readers.threads:
        thread.join()


def test_a_rebuild_under_load_changes_no_number(system: Any, readers: Readers, wait: Wait) -> None:
    """While people read, the log is counted again and swapped in: no counter ever falls, and nothing is lost."""
    before = system.counter("giao-thuy", measure="views")["total"] - readers.accepted
    balance = command(system, "adjust", "--site", "giao-thuy", "--measure", "views", "--amount", "7", "--why", "test")
    assert balance.returncode == 0, balance.stderr
    wait(lambda: readers.accepted > 200)
    for _ in range(2):
        done = command(system, "rebuild")
        assert done.returncode == 0, done.stderr
        assert "is current" in done.stdout
    readers.going = False
    for thread in readers.threads:
        thread.join()
    assert readers.seen == sorted(readers.seen)
    settled = wait(lambda: _unchanged(system), 30)
    assert settled >= readers.accepted + 7
    done = command(system, "verify")
    assert done.returncode == 0, done.stdout[-2000:]
    assert before <= readers.seen[0]


def _unchanged(system: Any) -> int | None:
    before = system.counter("giao-thuy", measure="views")["total"]
    time.sleep(1.5)
    return int(before) if system.counter("giao-thuy", measure="views")["total"] == before else None


async def test_a_rebuild_mends_what_was_spoilt(system: Any, wait: Wait) -> None:
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
    await asyncio.sleep(1.1)  # an answer is kept for a second
    mended = system.counter("giao-thuy", measure="visits")
    assert {name: mended[name] for name in ("today", "week", "total")} == {
        name: right[name] for name in ("today", "week", "total")
    }
    assert (await asyncio.to_thread(command, system, "verify")).returncode == 0


def test_another_log_is_never_taken_for_ours(system: Any) -> None:
    """--new-log is refused while the topic is the one that was counted."""
    done = command(system, "rebuild", "--new-log")
    assert (done.returncode, done.stdout) == (1, "")
    assert "omit --new-log" in done.stderr
