"""Articles and the structure of a site change while views flow, and ingest, builders and counters are killed."""

import asyncio
import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from typing import Any

import asyncpg
import pytest

from tests.conftest import PERSON
from tests.e2e.structure_history import HOST, PRIVATE_EMAIL, SEARCHED, SITE, UNFINISHED, History
from tests.e2e.structure_oracle import Truth, current, differences, read_truth
from tests.e2e.test_articles_in_order import wait_for_outbox

KILLS = int(os.environ.get("PRESSTALLY_KILLS", "4"))
"""docs/testing.md says how to run more."""
KILLED = ("articles", "render", "stats")
WAIT_SECONDS = 120.0
"""Of a machine that has other work."""
PREFIX = "kills"
SEED = 20
UNAVAILABLE = {502, 503, 504}


class Worker(threading.Thread):
    """Repeats something until stopped."""

    def __init__(self, system: Any, history: History, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.system, self.history, self.stop = system, history, stop
        self.random = random.Random(SEED)
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.step()
        except BaseException as error:  # noqa: BLE001 - reported by the test
            self.error = error

    def step(self) -> None:
        raise NotImplementedError


class Newsroom(Worker):
    """Takes the steps of the history."""

    def step(self) -> None:
        self.history.step()


class Visitors(Worker):
    """Sends views of articles, each until it is accepted, and notes them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.views: Counter[str] = Counter()

    def step(self) -> None:
        article = self.random.choice(self.history.viewed)
        event = {"id": str(uuid.uuid4()), "site": SITE, "kind": "view", "path": "/x.html", "article": article}
        person = f"{PERSON} kills/{self.random.randrange(200)}"
        while True:
            try:
                status = self.system.post_events(event, user_agent=person).status
            except OSError:
                status = 503
            if status == 202:
                self.views[article] += 1
                break
            assert status in UNAVAILABLE, status
            time.sleep(0.1)
        time.sleep(0.02)


class Readers(Worker):
    """Read any address: nothing that was not released may be there."""

    def step(self) -> None:
        sections = [one for section in self.history.sections() for one in (section["slug"], *section["former_slugs"])]
        lists = [f"/{slug}/{self.random.choice(['', 'rss.xml', 'atom.xml'])}" for slug in sections]
        tags = [f"/tag/{PREFIX}tag{number}/" for number in range(3)]
        fixed = ["/", "/sitemap-pages.xml", "/sitemap-articles-1.xml", "/so-do-site", f"/tim-kiem?q={SEARCHED}"]
        for path in self.random.sample([*lists, *tags, *fixed], 4):
            try:
                answer = self.system.get(path, host=HOST)
            except OSError:
                continue
            if answer.status not in UNAVAILABLE:
                assert answer.status in {200, 301, 404}, (path, answer.status)
                assert UNFINISHED not in answer.text, path
                assert PRIVATE_EMAIL not in answer.text, path


async def kill_parts(system: Any, wait: Any) -> None:
    """Kill one part after the other, at moments that nothing aligns with the steps."""
    for number in range(KILLS):
        await asyncio.sleep(1.1 + number * 0.17)
        part = KILLED[number % len(KILLED)]
        killed = system.state()["parts"][part]
        os.kill(killed, signal.SIGKILL)
        await asyncio.to_thread(
            wait, lambda part=part, before=killed: system.state()["parts"].get(part) not in (None, before), WAIT_SECONDS
        )


def counts_of_sections(truth: Truth, views: Counter[str]) -> dict[str, int]:
    """Return the views of each section: those of all articles that are in it now, whenever they were read."""
    counts: Counter[str] = Counter()
    for article in truth.articles:
        counts[current(truth.structure.section_aliases, article.section)] += views[article.id]
    return {section: count for section, count in counts.items() if count}


def statistics(system: Any, name: str) -> list[dict[str, Any]]:
    """Return a list of the statistics of the site, as its owner sees them."""
    token = system.environment["PRESSTALLY_STATISTICS_TOKENS"].split()[1]
    path, _, field = name.partition("#")
    answer = system.get(f"/stats/{SITE}/{path}", authorization=f"Bearer {token}")
    return list(answer.json()[field]) if answer.status == 200 else []


@pytest.mark.timeout(600)
async def test_structure_through_kills_agrees_everywhere(system: Any, editors: Any, wait: Any) -> None:
    """Afterwards every surface agrees with the database, and merged sections have exactly the sums of their views."""
    editors.token("admin")
    history = History(editors, SEED, PREFIX)
    await asyncio.to_thread(history.begin)
    stop = threading.Event()
    workers = [kind(system, history, stop) for kind in (Newsroom, Visitors, Readers)]
    for worker in workers:
        worker.start()
    await kill_parts(system, wait)
    stop.set()
    for worker in workers:
        await asyncio.to_thread(worker.join, WAIT_SECONDS)
        assert worker.error is None, worker.error
    await asyncio.to_thread(wait, system.all_ready, 2 * WAIT_SECONDS, "readiness")
    connection = await asyncpg.connect(system.database_url)
    await wait_for_outbox(connection)
    await connection.close()
    truth = await read_truth(system.database_url)
    await agrees(system, truth)
    visitors = workers[1]
    assert isinstance(visitors, Visitors)
    expected = counts_of_sections(truth, visitors.views)
    assert len(truth.structure.section_aliases) > 0

    def sections_agree() -> bool:
        found = {one["section"]: one["views"] for one in statistics(system, "sections?period=today#sections")}
        return {section: found.get(section) for section in expected} == expected

    await asyncio.to_thread(wait, sections_agree, WAIT_SECONDS, f"the views by section: {expected}")
    for section, count in expected.items():
        top = statistics(system, f"top?period=today&limit=100&section={section}#articles")
        assert sum(one["views"] for one in top) == count


async def agrees(system: Any, truth: Truth) -> None:
    """Wait until the portal agrees with the database; builders and the words of the search follow in the background."""
    deadline = time.monotonic() + WAIT_SECONDS
    while found := await asyncio.to_thread(differences, system, truth):
        assert time.monotonic() < deadline, "\n".join(found)
        await asyncio.sleep(0.5)
