"""A change of the sites' configuration in a running system: every service takes it over, and no request fails.

The file's name comes after those of tests that verify the counts of this system: the log keeps views of a site that
nobody declares any more.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

NEW = """
[[site]]
slug = "nam-dinh"
name = "Thành phố Nam Định"
origins = ["https://namdinh.example"]
timezone = "Asia/Ho_Chi_Minh"
count_headless_browsers = true
sections = [{ slug = "tin-tuc", name = "Tin tức" }]
"""
SERVICES = ("ingest", "articles", "stats", "render")
PAGE = {"host": "namdinh.example"}


@pytest.fixture
def file(system: Any) -> Iterator[Path]:
    """The configuration, which is restored."""
    file = Path(system.environment["PRESSTALLY_SITES"])
    before = file.read_bytes()
    yield file
    replace(file, before)


def replace(file: Path, content: bytes) -> None:
    new = file.with_name("sites.new")
    new.write_bytes(content)
    new.rename(file)


def problems(system: Any) -> list[str | None]:
    return [system.get(f"http://127.0.0.1:{system.port(name)}/configz").json()["problem"] for name in SERVICES]


def known(system: Any) -> list[list[str]]:
    answers = [system.get(f"http://127.0.0.1:{system.port(name)}/configz").json()["sites"] for name in SERVICES]
    return [[site["slug"] for site in sites] for sites in answers]


class Load:
    """Views and pages all the time; the statuses that they got."""

    def __init__(self, system: Any, new_id: Any) -> None:
        self.seen: set[tuple[str, int]] = set()
        self._work = (system, new_id)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        system, new_id = self._work
        while not self._stop.is_set():
            event = {"id": new_id(), "site": "haihau", "kind": "view", "path": "/tai"}
            self.seen.add(("view", system.post_events(event).status))
            for path in ("/", "/rss.xml", "/stats/haihau/counter", "/api/articles?site=haihau"):
                self.seen.add((path, system.get(path).status))
            time.sleep(0.02)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_new_site_is_served_without_restart_and_without_a_failure(
    system: Any, file: Path, new_id: Any, wait: Any
) -> None:
    """Its first views are counted, its pages and statistics are there, and the API knows it; others go on."""
    before = file.read_bytes()
    with Load(system, new_id) as load:
        replace(file, before + NEW.encode())
        for number in range(3):  # at once: the collector reads the configuration before it refuses a site
            event = {"id": new_id(), "site": "nam-dinh", "kind": "view", "path": f"/{number}"}
            answer = system.post_events(event, origin="https://namdinh.example", user_agent=system.another_person())
            assert answer.status == 202, answer.text
        wait(lambda: all("nam-dinh" in sites for sites in known(system)), what="all services know the site")
        wait(lambda: system.counter("nam-dinh", measure="views")["total"] == 3, what="its views are counted")
        assert "Thành phố Nam Định" in system.get("/", **PAGE).text
        # No article: a rebuild of this system's portal would meet one of a site that nobody declares any more.
        assert system.get("/api/articles?site=nam-dinh").json()["articles"] == []
        assert system.get("/stats/nam-dinh").status == 200

        tag = system.get("/", **PAGE).headers["etag"]
        replace(file, before + NEW.replace("Thành phố", "Tỉnh").replace("Tin tức", "Thời sự").encode())
        wait(lambda: "Tỉnh Nam Định" in system.get("/", **PAGE).text, what="its pages have the new name")
        assert "Tin tức" in system.get("/", **PAGE).text  # the sections of the file were its seed
        assert system.get("/", if_none_match=tag, **PAGE).status == 200

        replace(file, before)
        wait(lambda: not any("nam-dinh" in sites for sites in known(system)), what="all services forgot the site")
        event = {"id": new_id(), "site": "nam-dinh", "kind": "view", "path": "/"}
        assert system.post_events(event).status == 422
        assert system.get("/stats/nam-dinh/counter").status == 404
        assert "Nam Định" not in system.get("/", **PAGE).text  # the first site answers for unknown hosts
    assert {status for what, status in load.seen if what == "view"} == {202}
    assert {status for what, status in load.seen if what != "view"} == {200}


@pytest.mark.parametrize("content", [b'[[site]]\nslug = "haihau', None], ids=["a syntax error", "no file"])
def test_refused_configuration_is_reported_and_the_former_one_serves(
    system: Any, file: Path, wait: Any, content: bytes | None
) -> None:
    """Every service goes on with what it had, and says so in /readyz and in a metric until it is corrected."""
    before = file.read_bytes()
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    wait(lambda: all(problems(system)), what="all services have noticed")
    for name in SERVICES:
        address = f"http://127.0.0.1:{system.port(name)}"
        ready = system.get(f"{address}/readyz")
        assert ready.status == 200
        assert any("configuration was refused" in warning for warning in ready.json()["warnings"])
        assert "presstally_sites_config_last_reload_successful 0.0" in system.get(f"{address}/metrics").text
    assert system.get("/").status == system.get("/stats/haihau").status == 200
    assert system.get("/configz").status == 404  # never through the gateway
    replace(file, before)
    wait(lambda: not any(problems(system)), what="all services have read the corrected one")
