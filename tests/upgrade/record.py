"""`python -m tests.upgrade.record CHECKOUT FOLDER`: keep a portal of an older version, as test_upgrade.py upgrades it.

Runs the local installation of a checkout of the older version (its packages must be installed), publishes, counts and
adjusts, stops it, and writes FOLDER/kafka.tar.xz (the data of Kafka), FOLDER/presstally.dump (Postgres) and
FOLDER/expected.json: what the older version itself reported. The numbers of a new version must be those.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from deploy.local.postgres import POSTGRES_BIN_PATH
from tests.conftest import (
    PERSON,
    PORTS_PER_INSTALLATION,
    SITES,
    STATISTICS_TOKENS,
    System,
    free_ports,
    is_ready,
    wait_for,
)

MEASURES = ("views", "visits", "visitors")
HOUR_MS = 3_600_000
OPENING = 1_490_000
COUNTED_SECONDS = 60
FIRST_OLD_AGENT = 1_000


class Recorder:
    """A portal of the older version, with editors and visitors."""

    def __init__(self, checkout: Path, home: Path) -> None:
        self._checkout = checkout
        self._home = home
        port = free_ports(PORTS_PER_INSTALLATION)
        (home / "sites.toml").write_text(SITES)
        own = {"PRESSTALLY_HOME": str(home), "PRESSTALLY_PORT": str(port), "PRESSTALLY_SITES": str(home / "sites.toml")}
        own["PRESSTALLY_STATISTICS_TOKENS"] = STATISTICS_TOKENS
        environment = {**os.environ, **own, "PRESSTALLY_PUBLIC_URL": f"http://localhost:{port}"}
        with (home / "run.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local", "run"], cwd=checkout, env=environment, stdout=log, stderr=log
            )
        self.system = System(home, port, environment, process)
        wait_for(lambda: is_ready(self.system), 200, "the older version")
        self._token = self.run("services.ingest", "token", "create", "--name", "Lan", "--scope", "admin").strip()

    def run(self, *arguments: str) -> str:
        stores = {"DATABASE_URL": self.system.database_url, "KAFKA_BOOTSTRAP": self.system.kafka}
        command = [sys.executable, "-m", *arguments]
        environment = {**self.system.environment, **stores}
        done = subprocess.run(command, cwd=self._checkout, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        sent = None if body is None else json.dumps(body).encode()
        headers = {"content_type": "application/json", "authorization": f"Bearer {self._token}"}
        answer = self.system.request(method, f"/api{path}", sent, **headers)
        assert answer.status < 300, (path, answer.text)
        return dict(answer.json())

    def create(self, title: str, site: str = "haihau", **fields: Any) -> dict[str, Any]:
        return self.call(
            "POST",
            "/articles",
            {"site": site, "section": "tin-tuc", "title": title, "body": "<p>Thân bài.</p>", **fields},
        )

    def step(self, article: dict[str, Any], name: str, **body: Any) -> dict[str, Any]:
        version = self.call("GET", f"/articles/{article['id']}")["version"]
        return self.call("POST", f"/articles/{article['id']}/{name}", {"version": version, **body})

    def publish(self, article: dict[str, Any]) -> dict[str, Any]:
        published = self.step(article, "publish")
        wait_for(
            lambda: self.call("GET", f"/articles/{article['id']}/publication?wait=8s")["status"] == "live", 60, "live"
        )
        return published

    def edit(self, article: dict[str, Any], **fields: Any) -> None:
        version = self.call("GET", f"/articles/{article['id']}")["version"]
        self.call("PATCH", f"/articles/{article['id']}", {"version": version, **fields})

    def path(self, article: dict[str, Any]) -> str:
        url = self.call("GET", f"/articles/{article['id']}/publication")["url"]
        return str(url).removeprefix(self.system.url)

    def view(
        self, path: str, people: range, *, site: str = "haihau", article: str | None = None, hours: int = 0
    ) -> None:
        """Send a view of each person, now or as a server's log of some hours ago."""
        at = time.time_ns() // 1_000_000 - hours * HOUR_MS
        for person in people:
            event = {"id": str(uuid.uuid4()), "site": site, "kind": "view", "path": path}
            event |= {"article": article} if article else {}
            if hours:
                entry = {
                    **event,
                    "at": at,
                    "ip": f"203.0.113.{person % 250}",
                    "agent": f"{PERSON} person/{person}",
                }
                self.batch([entry])
                continue
            for _ in range(2):  # the same id twice: counted once
                answer = self.system.post_events(event, user_agent=f"{PERSON} person/{person}")
                assert answer.status == 202, answer.text

    def batch(self, entries: list[dict[str, Any]]) -> None:
        headers = {"content_type": "application/json", "authorization": f"Bearer {self._events_token()}"}
        answer = self.system.request("POST", "/e/batch", json.dumps(entries).encode(), **headers)
        assert answer.status == 202, answer.text

    def _events_token(self) -> str:
        if not hasattr(self, "_for_events"):
            command = ("services.ingest", "token", "create", "--name", "log", "--scope", "events")
            self._for_events = self.run(*command).strip()
        return self._for_events

    def counters(self, articles: list[str]) -> dict[str, dict[str, int]]:
        """Return all counters' totals by path and measure."""
        paths = ["/stats/haihau/counter", "/stats/giao-thuy/counter"]
        paths += [f"/stats/haihau/articles/{article}/counter" for article in articles]
        return {
            path: {measure: int(self.system.get(f"{path}?measure={measure}").json()["total"]) for measure in MEASURES}
            for path in paths
        }

    def wait_for_views(self, path: str, number: int) -> None:
        """Wait until a counter is at a number."""
        deadline = time.monotonic() + COUNTED_SECONDS
        while (seen := int(self.system.get(f"{path}?measure=views").json()["total"])) != number:
            assert time.monotonic() < deadline, f"{path} is {seen}, not {number}"
            time.sleep(0.5)

    def work(self) -> dict[str, Any]:
        """Publish, count and adjust; return what the portal reports at the end."""
        plain = self.publish(self.create("Bài thường"))
        edited = self.publish(self.create("Bài sẽ sửa"))
        old_path = self.path(edited)
        self.edit(edited, title="Bài đã sửa", slug="bai-da-sua")
        self.publish(edited)
        self.edit(edited, title="Bài đang viết dở")
        killed = self.publish(self.create("Bài sẽ gỡ"))
        killed_path = self.path(killed)
        self.step(killed, "kill", reason="sai")
        withdrawn = self.publish(self.create("Bài sẽ rút"))
        withdrawn_path = self.path(withdrawn)
        self.step(withdrawn, "unpublish")
        draft = self.create("Bản thảo")
        scheduled = self.create("Bài hẹn giờ")
        self.step(scheduled, "schedule", publish_at="2099-01-01T00:00:00+07:00")
        other = self.publish(self.create("Bài Giao Thủy", "giao-thuy"))
        self.view("/", range(9))
        self.view(self.path(plain), range(4, 16), article=plain["id"])
        self.view(self.path(edited), range(30, 37), article=edited["id"])
        self.view("/", range(FIRST_OLD_AGENT, FIRST_OLD_AGENT + 25), hours=30)
        self.view("/tin-tuc", range(FIRST_OLD_AGENT, FIRST_OLD_AGENT + 10), hours=5)
        self.view(self.path(other), range(3), site="giao-thuy", article=other["id"])
        self.view("/", range(5), site="giao-thuy", hours=26)
        for measure in MEASURES:
            adjust = ("services.stats", "adjust", "--site", "haihau", "--measure", measure)
            self.run(*adjust, "--amount", str(OPENING), "--who", "An", "--why", "số cũ")
        articles = [plain["id"], edited["id"]]
        counted = OPENING + 9 + 12 + 7 + 25 + 10
        for site, number in (("haihau", counted), ("giao-thuy", 8)):
            path = f"/stats/{site}/counter"
            self.wait_for_views(path, number)
        self.run("services.stats", "verify")
        pages = {
            self.path(plain): [200, "Bài thường"],
            self.path(edited): [200, "Bài đã sửa"],
            old_path: [301, ""],
            killed_path: [410, ""],
            withdrawn_path: [self.system.get(withdrawn_path).status, ""],
        }
        for path, (status, title) in pages.items():
            answer = self.system.get(path)
            assert answer.status == status, (path, answer.status)
            assert title in answer.text, path
        states = {
            article["id"]: self.call("GET", f"/articles/{article['id']}")
            for article in (plain, edited, killed, withdrawn, draft, scheduled, other)
        }
        return {
            "counters": self.counters(articles),
            "pages": pages,
            "articles": {
                key: {name: value[name] for name in ("state", "title", "version", "number")}
                for key, value in states.items()
            },
            "token": self._token,
        }

    def keep(self, folder: Path) -> None:
        """Dump Postgres, stop everything, and keep the data of Kafka."""
        password = (self._home / "postgres/password").read_text()
        access = {"PGPASSWORD": password, "PGHOST": "127.0.0.1", "PGPORT": str(self.system.base_port + 6)}
        dump = [
            str(POSTGRES_BIN_PATH / "pg_dump"),
            "-U",
            "presstally",
            "-Fc",
            "-Z9",
            "--exclude-table-data=ingest.salts",
        ]
        with (folder / "presstally.dump").open("wb") as output:
            subprocess.run([*dump, "presstally"], stdout=output, env={**os.environ, **access}, check=True)
        self.stop()
        with tarfile.open(folder / "kafka.tar.xz", "w:xz", preset=9) as archive:
            archive.add(self._home / "kafka", "kafka", filter=_without_owner)

    def stop(self) -> None:
        if self.system.process.poll() is None:
            self.system.process.send_signal(signal.SIGTERM)
            self.system.process.wait(60)


def _without_owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade.record", description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="older-portal-") as home:
        recorder = Recorder(arguments.checkout, Path(home))
        try:
            expected = recorder.work()
            recorder.keep(arguments.folder)
        finally:
            recorder.stop()
    (arguments.folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
