"""The admin commands of stats, as an operator runs them, on the running system."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from tests.settled import settled_counter

ROOT = Path(__file__).parent.parent.parent
SITE = "giao-thuy"
NewId = Callable[[], str]
Wait = Callable[..., Any]
Done = subprocess.CompletedProcess[str]


def stats(system: Any, *arguments: str) -> Done:
    """Run `presstally stats …` against the system."""
    environment = {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    command = [sys.executable, "-m", "services.stats", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=90)


def total(system: Any, measure: str = "views") -> int:
    return int(system.counter(SITE, measure=measure)["total"])


def view(new_id: NewId, **more: Any) -> bytes:
    event = {"id": new_id(), "site": SITE, "kind": "view", "path": "/", "at": time.time_ns() // 1_000_000, **more}
    return json.dumps(event).encode()


def produce(system: Any, *values: bytes | None, topic: str = "page-views", key: bytes = b"a key") -> None:
    """Write records to a topic, in addition to its usual producers."""

    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=system.kafka)
        await producer.start()
        try:
            for value in values:
                await producer.send_and_wait(topic, value, key=key, partition=2)
        finally:
            await producer.stop()

    asyncio.run(send())


def letter_of(system: Any, wait: Wait, words: str, *arguments: str) -> str:
    """Wait until `dlq list` shows a line with these words, and return its PARTITION:OFFSET."""

    def find() -> str | None:
        done = stats(system, "dlq", "list", "--limit", "1000", *arguments)
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if words in line]
        return lines[-1].split()[0] if lines else None

    return str(wait(find, what=f"a dead letter with {words}"))


def test_adjustment_and_its_reversal_change_the_total(system: Any, wait: Wait) -> None:
    """An adjustment changes the total at once, its reversal takes that back, and a second one changes nothing."""
    before = total(system)
    made = stats(system, "adjust", "--site", SITE, "--amount", "41", "--who", "Lan", "--why", "the old counter's total")
    assert made.returncode == 0, made.stderr
    (adjustment,) = re.findall(r"^([0-9a-f-]{36}): \+41 views of giao-thuy$", made.stdout, re.MULTILINE)
    wait(lambda: total(system) == before + 41)

    takes_back = ("adjust", "--reverse", adjustment, "--who", "Minh", "--why", "typed twice")
    taken = stats(system, *takes_back)
    assert taken.returncode == 0, taken.stderr
    wait(lambda: total(system) == before)
    again = stats(system, *takes_back)
    assert (again.returncode, "is already reversed by" in again.stdout) == (0, True)
    assert total(system) == before

    listed = stats(system, "adjust", "--list", "--site", SITE).stdout
    lines = [line for line in listed.splitlines() if adjustment in line]
    reversal = taken.stdout.split(":")[0]
    assert f"Lan: the old counter's total (reversed by {reversal})" in lines[0]
    assert f"Minh: reverses {adjustment}: typed twice" in lines[1]
    assert lines[1].startswith(reversal)


def test_adjustment_of_an_article_leaves_its_site(system: Any, new_id: NewId) -> None:
    """An adjustment of an article's visits is in that article's counter and not in the site's."""
    article, before = new_id(), total(system, "visits")
    place = ["--site", SITE, "--article", article, "--measure", "visits"]
    assert stats(system, "adjust", *place, "--amount", "-3", "--why", "a test").returncode == 0
    path = f"/stats/{SITE}/articles/{article}/counter?measure="
    assert system.get(f"{path}visits").json()["total"] == -3
    assert system.get(f"{path}views").json()["total"] == 0
    assert total(system, "visits") == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "one of --amount, --reverse, --send-again or --list is required"),
        (["--site", SITE, "--amount", "1"], "--why is required"),
        (["--amount", "1", "--why", "x"], "--site is required"),
        (["--site", "khong-co", "--amount", "1", "--why", "x"], "unknown site 'khong-co'"),
        (["--site", SITE, "--amount", "0", "--why", "x"], "changes nothing"),
        (["--site", SITE, "--amount", str(2**60), "--why", "x"], "invalid adjustment"),
        (["--site", SITE, "--amount", "1", "--why", "x" * 501], "invalid adjustment"),
        (["--reverse", "0f8fad5b-d9cb-469f-a165-70867728950e", "--why", "x"], "unknown adjustment 0f8fad5b"),
    ],
)
def test_invalid_adjustment_is_refused_with_one_message(system: Any, arguments: list[str], words: str) -> None:
    """An adjustment that cannot be made is refused in one sentence, and nothing is sent."""
    done = stats(system, "adjust", *arguments)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert words in done.stderr


def test_dead_letters_are_listed_and_shown(system: Any, new_id: NewId, wait: Wait) -> None:
    """A dead letter is in the list with its reason and source, and is shown whole without harm to the terminal."""
    mark = new_id()
    produce(system, f"\x1b[2J{mark} ".encode() + b"\xff" * 100)
    letter = letter_of(system, wait, mark, "--reason", "not-json")
    shown = stats(system, "dlq", "show", letter).stdout
    assert f"\\x1b[2J{mark} " + "\\xff" * 100 in shown
    assert "\x1b" not in shown
    for header in ("reason: not-json", "topic: page-views", "partition: 2", "offset: "):
        assert header in shown
    assert "0 of 0 dead letters" in stats(system, "dlq", "list", "--reason", "no-such-reason").stdout
    nowhere = stats(system, "dlq", "show", "0:999999999")
    assert (nowhere.returncode, "there is no letter 0:999999999" in nowhere.stderr) == (1, True)


def test_replayed_dead_letter_counts_once(system: Any, new_id: NewId, wait: Wait) -> None:
    """An event that was too early is counted once its time has come and it is replayed, twice or not."""
    before, article = settled_counter(system, SITE, measure="views")["total"], new_id()
    ahead = time.time_ns() // 1_000_000 + 304_000
    produce(system, view(new_id, at=ahead, article=article))
    letter = letter_of(system, wait, "future")
    assert article in stats(system, "dlq", "show", letter).stdout
    dry = stats(system, "dlq", "replay", letter, "--dry-run")
    assert "nothing was sent" in dry.stdout
    time.sleep(max(0.0, ahead / 1000 - 299 - time.time()))
    for _ in range(2):
        done = stats(system, "dlq", "replay", letter)
        assert (done.returncode, "1 letters replayed" in done.stdout) == (0, True), done.stderr
    produce(system, view(new_id))
    wait(lambda: total(system) == before + 2)
    assert system.get(f"/stats/{SITE}/articles/{article}/counter").json()["total"] == 1


def test_dead_letter_without_value_is_not_replayed(system: Any, wait: Wait) -> None:
    """A null is not replayed, which is said; without a selection nothing is."""
    produce(system, None)
    letter = letter_of(system, wait, " null ")
    done = stats(system, "dlq", "replay", letter)
    assert done.returncode == 1
    assert f"{letter} is not replayed: it has no value (null)" in done.stdout
    refused = stats(system, "dlq", "replay")
    assert (refused.returncode, "--reason or --all is required" in refused.stderr) == (1, True)
    dry = stats(system, "dlq", "replay", "--all", "--dry-run")
    assert (dry.returncode, "would be replayed" in dry.stdout) == (0, True), dry.stderr


def test_superseded_dead_letter_is_not_replayed(system: Any, new_id: NewId, wait: Wait) -> None:
    """In a compacted topic an old message does not become the last of its key."""
    mark, topic = new_id(), "counter-adjustments"
    produce(system, f'"{mark}"'.encode(), topic=topic, key=mark.encode())
    letter = letter_of(system, wait, mark, "--topic", topic, "--reason", "ValidationError")
    dry = stats(system, "dlq", "replay", letter, "--topic", topic, "--dry-run")
    assert (dry.returncode, "1 letters would be replayed" in dry.stdout) == (0, True), dry.stderr
    produce(system, b"{", topic=topic, key=mark.encode())
    done = stats(system, "dlq", "replay", letter, "--topic", topic)
    assert done.returncode == 1
    assert f"{letter} is not replayed: a newer message of the same key is on {topic}" in done.stdout


def test_verify_names_the_counter_with_drift(system: Any, new_id: NewId) -> None:
    """The stored numbers are those of the log; a number changed by hand is found and named."""
    article = new_id()
    events = [{"id": new_id(), "site": SITE, "kind": "view", "path": "/", "article": article} for _ in range(3)]
    assert system.post_events(events, user_agent=system.another_person()).status == 202
    done = stats(system, "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"drift 0 over [1-9][0-9]* counters, [1-9][0-9]* records", done.stdout.splitlines()[-1])

    site_total = (
        "site = $1 AND article = '' AND grain = 'total' "
        "AND generation = (SELECT max(generation) FROM stats.generations)"
    )
    part = _change(system, f"SELECT min(partition) FROM stats.counts WHERE {site_total}", SITE)
    change = f"UPDATE stats.counts SET visits = visits + $3 WHERE {site_total} AND partition = $2"
    _change(system, change, SITE, part, 7)
    try:
        done = stats(system, "verify")
    finally:
        _change(system, change, SITE, part, -7)
    assert done.returncode == 1
    *_, named, last = done.stdout.splitlines()
    assert re.fullmatch(rf"{SITE} \(site\) total partition {part} visits: expected \d+, stored \d+, drift \+7", named)
    assert re.fullmatch(r"drift in 1 of \d+ counters", last)


def _change(system: Any, statement: str, *values: Any) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(system.database_url)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    return asyncio.run(run())
