"""A portal of version 0.1, as it stopped, is upgraded: no number, page or article differs from what 0.1 reported.

`tests.upgrade.record` has made `portal-0.1`. Its page views get older, so only totals are compared: they are permanent.
"""

import asyncio
import json
import shutil
import signal
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.conftest import wait_for
from tests.restore.drill import ROOT, WITH_KAFKA, Portal

RECORDED = Path(__file__).parent / "portal-0.1"
START_SECONDS = 200


class UpgradedPortal(Portal):
    """A portal with the stores of the older version."""

    def take_over(self, recorded: Path) -> None:
        """Restore the older Postgres, as docs/backup.md has it, and place the data of Kafka."""
        with tarfile.open(recorded / "kafka.tar.xz") as archive:
            archive.extractall(self.home, filter="data")
        shutil.copy(recorded / "presstally.dump", self._copies / f"presstally-{time.strftime('%F')}.dump")
        self._postgres.prepare()
        with (self.home / "postgres.log").open("ab") as log:
            account = {**self._postgres.as_account(), "cwd": "/"}
            server = subprocess.Popen(self._postgres.command(), stdout=log, stderr=log, **account)
        wait_for(self._postgres.is_ready, START_SECONDS, "Postgres")
        asyncio.run(self._create_roles())
        self.run_in_postgres(WITH_KAFKA)
        server.send_signal(signal.SIGINT)
        server.wait(20)

    async def _create_roles(self) -> None:
        connection = await asyncpg.connect(self._postgres.url)
        await connection.execute((ROOT / "shared/sql/roles.sql").read_text(encoding="utf-8"))
        await connection.close()

    def check_counters(self, expected: dict[str, dict[str, int]], more: int = 0) -> None:
        """Check all totals; `more` views of other visitors of the first site were counted since."""

        def differences() -> dict[str, Any]:
            found = {}
            for path, totals in expected.items():
                added = more if path == "/stats/haihau/counter" else 0
                for measure, total in totals.items():
                    number = self.system.get(f"{path}?measure={measure}").json()["total"]
                    if number != total + added:
                        found[f"{path} {measure}"] = (number, total + added)
            return found

        wait_for(lambda: not differences(), START_SECONDS, "the totals")

    def check_structure(self, articles: list[str]) -> None:
        """Check that the sections of the sites' file were seeded, and that changes of them move older articles."""
        answer = self._editors.call("GET", "/sections?site=haihau", scope="admin").json()
        assert [one["slug"] for one in answer["sections"]] == ["tin-tuc", "thong-bao", "van-hoa"]
        assert answer["undeclared"] == []
        before = {one["slug"]: one["public_articles"] for one in answer["sections"]}
        assert before["tin-tuc"] > 0
        found = self._editors.call("GET", "/articles?site=haihau&state=published", scope="admin").json()
        self._newsroom.work(self.system, self._editors, found["articles"][0]["id"])
        sent = {"slug": "thoi-su", "name": "Thời sự"}
        answer = self._editors.call("PATCH", "/sections/tin-tuc?site=haihau", sent, "admin", if_match="*")
        assert answer.json()["public_articles"] == before["tin-tuc"], answer.text
        wait_for(
            lambda: self.system.get("/tin-tuc/").headers.get("location") == "/thoi-su/", START_SECONDS, "a redirect"
        )
        for path in articles:
            page = self.system.get(path)
            assert page.status == 200, path
            assert 'href="/tin-tuc/"' not in page.text, path


@pytest.mark.timeout(900)
def test_upgrade_from_0_1_keeps_every_number_page_and_article(tmp_path: Path) -> None:
    """After migrations the counters, pages and articles are those of 0.1; a rebuild changes nothing; views go on."""
    expected = json.loads((RECORDED / "expected.json").read_text(encoding="utf-8"))
    portal = UpgradedPortal(tmp_path)
    try:
        portal.take_over(RECORDED)
        portal.start()
        portal.check_counters(expected["counters"])
        for path, (status, title) in expected["pages"].items():
            answer = portal.system.get(path)
            assert answer.status == status, path
            assert title in answer.text
        for identifier, fields in expected["articles"].items():
            answer = portal.system.get(f"/api/articles/{identifier}", authorization=f"Bearer {expected['token']}")
            assert {name: answer.json()[name] for name in fields} == fields
        portal.run("stats verify")
        portal.view(3)
        portal.check_counters(expected["counters"], more=3)
        portal.run("stats rebuild")
        portal.check_counters(expected["counters"], more=3)
        portal.run("stats verify")
        portal.write("new", "Bài sau khi nâng cấp", publish=True)
        portal.check_structure([path for path, (status, _) in expected["pages"].items() if status == 200])
    finally:
        portal.stop()
