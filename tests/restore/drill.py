"""The restore drill: a portal of its own is backed up, goes on, and loses one or both of its stores.

Postgres is dumped and restored, and the commands are run, as docs/backup.md has them; an older Kafka is a copy of its
data. An oracle knows each version and number that the API has given, what is public, and each view and adjustment;
tests/restore/newsroom.py has the structure of the site.
"""

import copy
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from deploy.local.postgres import POSTGRES_BIN_PATH, Postgres
from tests.conftest import (
    PORTS_PER_INSTALLATION,
    SITES,
    STATISTICS_TOKENS,
    System,
    free_ports,
    is_ready,
    wait_for,
)
from tests.e2e.conftest import Editors
from tests.restore.newsroom import ARTICLE, Newsroom

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/backup.md").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
WITH_KAFKA = "Restore, with Kafka still there"
WITHOUT_KAFKA = "Restore, with Kafka lost"
WITH_OLDER_KAFKA = "Restore, with an older Kafka"
DECISIONS = {
    WITHOUT_KAFKA: "stats rebuild --new-log",
    WITH_OLDER_KAFKA: "stats rebuild --lost-records",
}
START_SECONDS = 400
"""For a machine that has other work."""
WAIT_SECONDS = 120
VERIFY = "stats verify"


class Pair(NamedTuple):
    """What is left of each store: same, older or empty."""

    postgres: str
    kafka: str

    def state(self) -> str:
        """Return which state of the portal must come back."""
        if self.postgres == "same" or self.kafka == "same":
            return "new"
        return "none" if self == ("empty", "empty") else "old"

    def section(self) -> str:
        """Return the section of docs/backup.md whose commands are run after the start."""
        if self.kafka == "empty" and self.postgres != "empty":
            return WITHOUT_KAFKA
        return WITH_OLDER_KAFKA if self == ("same", "older") else WITH_KAFKA


PAIRS = [Pair(one, other) for one in ("older", "same", "empty") for other in ("same", "older", "empty")]
PAIRS.remove(Pair("same", "same"))


class State(NamedTuple):
    """What must be true of a portal."""

    views: int
    adjusted: int
    pages: dict[str, str | None]
    """Path → title; None: the page is gone."""


class Oracle:
    """Each version and number that the API has given."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, int], tuple[str, str]] = {}
        self._numbers: dict[int, str] = {}

    def record(self, article: dict[str, Any]) -> dict[str, Any]:
        """Take note of an article; a version or number that was given before must be of the same."""
        key, content = (article["id"], article["version"]), (article["title"], article["state"])
        assert self._versions.setdefault(key, content) == content, f"version {key} was given with another content"
        number = article["number"]
        assert self._numbers.setdefault(number, article["id"]) == article["id"], f"number {number} was given before"
        return article

    def forget_numbers(self) -> None:
        """Accept numbers again: nothing is left that knows them."""
        self._numbers.clear()


class Portal:
    """The portal: its processes, its stores, and its newsroom."""

    def __init__(self, folder: Path, *, by_recover: bool = False) -> None:
        self._by_recover = by_recover
        self.home, self._copies = folder / "home", folder / "copies"
        self.home.mkdir()
        self._copies.mkdir()
        sites = folder / "sites.toml"
        sites.write_text(SITES)
        port = free_ports(PORTS_PER_INSTALLATION)
        own = {"PRESSTALLY_HOME": str(self.home), "PRESSTALLY_PORT": str(port), "PRESSTALLY_SITES": str(sites)}
        own |= {"PRESSTALLY_STATISTICS_TOKENS": STATISTICS_TOKENS, "PRESSTALLY_PUBLIC_URL": f"http://localhost:{port}"}
        self._environment = {**os.environ, **own}
        self._port = port
        self._system: System | None = None
        self._oracle, self._newsroom = Oracle(), Newsroom()
        self._ids: dict[str, str] = {}
        self._states: dict[str, State] = {"none": State(0, 0, {})}
        self._postgres = Postgres(self.home / "postgres", port + 6)

    @property
    def system(self) -> System:
        """The running processes."""
        assert self._system is not None
        return self._system

    def start(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Start everything, and run commands before it must be ready."""
        with (self.home / "run.log").open("ab") as log:
            command = [sys.executable, "-m", "deploy.local"]
            process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)
        self._system = system = System(self.home, self._port, self._environment, process)
        wait_for(lambda: is_ready(system) or is_running(system), START_SECONDS, "the processes")
        meanwhile()
        wait_for(lambda: is_ready(system), START_SECONDS, "the system")
        self._editors = Editors(self.system)

    def stop(self) -> None:
        """Stop everything, if it is running."""
        if self._system is not None:
            self._system.process.terminate()
            self._system.process.wait(60)
            self._system = None

    def run(self, command: str) -> str:
        """Run `presstally COMMAND`, as `docker compose run SERVICE COMMAND` does; return what it prints."""
        environment = {**self._environment, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        words = [str(ROOT / "presstally"), *command.split()]
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def run_documented(self, section: str) -> None:
        """Run the commands of a section that are run in a service's container.

        Before, everything but counting is ready, and stats itself names the command that it waits for, if there is one.
        """
        decision = DECISIONS.get(section)

        def waits_for_decision() -> bool:
            reasons = self.system.state()["not_ready"]
            return reasons.keys() == {"stats"} and f"{decision}`" in reasons["stats"]

        wait_for(waits_for_decision if decision else lambda: is_ready(self.system), START_SECONDS, f"{decision}")
        if self._by_recover:
            self.run("recover --yes")
            return
        for service, command in documented(section, r"docker compose run --rm (\w+) (.+)"):
            assert service in COMPOSE
            self.run(command)

    def run_in_postgres(self, section: str) -> None:
        """Run the commands of a section that are run in Postgres's container."""
        password = (self.home / "postgres/password").read_text()
        access = {"PGHOST": "127.0.0.1", "PGPORT": str(self._port + 6), "PGPASSWORD": password}
        environment = {**os.environ, **access, "PATH": f"{POSTGRES_BIN_PATH}:{os.environ['PATH']}"}
        for (line,) in documented(section, r"docker compose exec -T postgres (.+)"):
            today = line.replace("presstally-DATE.dump", "presstally-$(date +%F).dump")
            command = ["bash", "-ec", today]
            subprocess.run(command, cwd=self._copies, env=environment, stdin=subprocess.DEVNULL, check=True)

    def keep(self, name: str) -> None:
        """Stop everything and keep a copy of both stores."""
        self.stop()
        for store in ("kafka", "postgres"):
            copy_folder(self.home / store, self._copies / f"{name}-{store}")

    def lose(self, pair: Pair) -> None:
        """Replace both stores by what is left of them."""
        for store, left in (("kafka", pair.kafka), ("postgres", pair.postgres)):
            shutil.rmtree(self.home / store)
            if store == "kafka" and left == "older":
                copy_folder(self._copies / "old-kafka", self.home / store)
            elif left != "empty":
                copy_folder(self._copies / f"new-{store}", self.home / store)
        if pair.postgres == "older":
            account = {**self._postgres.as_account(), "cwd": "/"}
            with (self.home / "postgres.log").open("ab") as log:
                server = subprocess.Popen(self._postgres.command(), stdout=log, stderr=log, **account)
            wait_for(self._postgres.is_ready, WAIT_SECONDS, "Postgres")
            self.run_in_postgres(WITH_KAFKA)
            server.send_signal(signal.SIGINT)
            server.wait(20)

    def write(self, name: str, title: str, *, publish: bool = False) -> None:
        """Create an article or change its title, and publish it."""
        if name not in self._ids:
            self._ids[name] = self._oracle.record(self._editors.create(title, **ARTICLE))["id"]
        else:
            sent = {"title": title, "version": self.read(name)["version"]}
            answer = self._editors.call("PATCH", f"/articles/{self._ids[name]}", sent)
            assert answer.status == 200, answer.text
            self._oracle.record(answer.json())
        if publish:
            for step in ("submit", "approve", "publish"):
                self._oracle.record(self._editors.step(self._ids[name], step))
            wait_for(
                lambda: self._editors.publication(self._ids[name])["status"] == "live", WAIT_SECONDS, f"{title} live"
            )
            assert title in self.system.get(self.path(name)).text

    def read(self, name: str) -> dict[str, Any]:
        """Return an article as the API has it."""
        answer = self._editors.call("GET", f"/articles/{self._ids[name]}", scope="read")
        assert answer.status == 200, answer.text
        return self._oracle.record(answer.json())

    def path(self, name: str) -> str:
        """Return the path of an article's page."""
        url = self._editors.publication(self._ids[name])["url"]
        return str(url).removeprefix(self.system.url)

    def view(self, count: int) -> None:
        """Send views, each of another person."""
        for _ in range(count):
            event = {"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": "/"}
            answer = self.system.post_events(event, user_agent=self.system.another_person())
            assert answer.status == 202, answer.text

    def total(self) -> int:
        """Return the total of the site's views, with adjustments."""
        return int(self.system.counter(measure="views")["total"])

    def adjust(self, amount: int) -> None:
        """Correct the total."""
        self.run(f"stats adjust --site haihau --measure views --amount {amount} --who An --why x")

    def live(self) -> None:
        """Two periods of work: before the backup, and between it and the loss."""
        self.start()
        self.write("corrected", "Bài sẽ đính chính", publish=True)
        self.write("killed", "Bài sẽ gỡ", publish=True)
        self.write("draft", "Bản thảo một")
        self.view(5)
        self.adjust(100)
        self._newsroom.work(self.system, self._editors, self._ids["corrected"])
        wait_for(lambda: self.total() == 105, WAIT_SECONDS, "the views before the backup")
        pages = {self.path("corrected"): "Bài sẽ đính chính", self.path("killed"): "Bài sẽ gỡ"}
        self._states["old"] = State(5, 100, dict(pages))
        time.sleep(1.5)  # the relay's witness is a second old at most
        self.run_in_postgres("Every day")
        self.keep("old")
        self.start()
        self.write("corrected", "Bài đã đính chính", publish=True)
        gone = self.path("killed")
        self._oracle.record(self._editors.step(self._ids["killed"], "kill", {"reason": "sai"}))
        wait_for(lambda: self.system.get(gone).status == 410, WAIT_SECONDS, "the killed page")
        self.write("later", "Bài sau khi sao lưu", publish=True)
        for number in range(2, 5):
            self.write("draft", f"Bản thảo {number}")
        self.write("later draft", "Bản thảo sau khi sao lưu")
        self.view(7)
        self.adjust(1_000)
        self._newsroom.work_on(self.system, self._editors, self._ids["later"], self._ids["corrected"])
        wait_for(lambda: self.total() == 1_112, WAIT_SECONDS, "the views after the backup")
        live = {self.path("corrected"): "Bài đã đính chính", self.path("later"): "Bài sau khi sao lưu", gone: None}
        self._states["new"] = State(12, 1_100, live)
        time.sleep(1.5)
        self.keep("new")

    def restore(self, pair: Pair) -> None:
        """Lose stores, restore what is documented, and check what must be true of the portal."""
        ids, oracle = dict(self._ids), copy.deepcopy(self._oracle)
        self.lose(pair)
        if pair.state() == "none":
            self._oracle.forget_numbers()
        try:
            self.start(lambda: self.run_documented(pair.section()))
            self._check(pair, self._states[pair.state()])
        finally:
            # The next pair begins from the copies, which know nothing of this one.
            self._ids, self._oracle = ids, oracle
            self.stop()

    def _check(self, pair: Pair, state: State) -> None:
        total = state.views + state.adjusted
        wait_for(lambda: self.total() == total, WAIT_SECONDS, f"{total} views and adjustments")
        for path, title in state.pages.items():
            self.check_page(path, title)
        self._newsroom.check(self.system, self._editors, pair.state(), pair.postgres)
        known = {"old": ["corrected", "killed"], "new": ["corrected", "killed", "later"], "none": []}[pair.state()]
        for name in known:
            self.read(name)
        drafts = {"same": ["draft", "later draft"], "older": ["draft"], "empty": []}[pair.postgres]
        for time_ in range(3):  # the lost timeline had as many versions
            for name in drafts:
                self.write(name, f"Sau khi phục hồi {pair.postgres} {pair.kafka} {time_}", publish=time_ == 2)
            if known:
                self.write(
                    "corrected", f"Đính chính sau khi phục hồi {pair.postgres} {pair.kafka} {time_}", publish=time_ == 2
                )
        self.write("after", f"Bài mới sau khi phục hồi {pair.postgres} {pair.kafka}", publish=True)
        self.view(3)
        wait_for(lambda: self.total() == total + 3, WAIT_SECONDS, "the views after the restore")
        self.run(VERIFY)

    def check_page(self, path: str, title: str | None) -> None:
        """Check that the portal shows an article, or that its page is gone."""

        def is_right() -> bool:
            answer = self.system.get(path)
            return answer.status == 410 if title is None else answer.status == 200 and title in answer.text

        wait_for(is_right, WAIT_SECONDS, f"{path}: {title}")


def is_running(system: System) -> bool:
    """Return whether all is started, and a service is not ready."""
    return (system.home / "stack.json").exists() and bool(system.state()["not_ready"])


def documented(section: str, pattern: str) -> list[Any]:
    """Return the parts of the commands in a section of docs/backup.md, as tuples of its groups."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    found = [match.groups() for match in re.finditer(rf"^ {{4}}{pattern}$", text, re.MULTILINE)]
    assert found, section
    return found


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder with its owners."""
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)
