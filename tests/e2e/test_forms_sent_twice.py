"""A form of the newsroom that is sent twice, to two processes: one takes effect, and both get its answer."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conftest import ROOT, answers, free_ports, wait_for
from tests.e2e.test_people import PASSWORD, person
from tests.ingest.newsroom.conftest import FormReader

EMAIL = "hai.tien.trinh@haihau.example"


@pytest.fixture
def replica(system: Any) -> Iterator[int]:
    """The port of another process of the newsroom's pages, over the same editor API."""
    port = free_ports(1)
    environment = {
        **os.environ,
        **system.environment,
        "DATABASE_URL": system.database_url,
        "KAFKA_BOOTSTRAP": system.kafka,
        "PRESSTALLY_ARTICLES_URL": f"http://127.0.0.1:{system.port('articles')}",
        "PRESSTALLY_PUBLIC_URL": system.url,
        "PRESSTALLY_TRUSTED_PROXIES": "127.0.0.1/32",
        "PRESSTALLY_HTTP_HOST": "127.0.0.1",
        "PRESSTALLY_HTTP_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "services.ingest", "newsroom"], cwd=ROOT, env=environment)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/readyz"), 60, "the other process")
        yield port
    finally:
        process.terminate()
        assert process.wait(60) == 0


def session_of(system: Any) -> str:
    """Make a person, and return the cookie of a session."""
    _, _, secret = person(system, "create", "--admin", "--email", EMAIL, "--name", "Hai Tiến").partition("#")
    own = {"content_type": "application/json", "origin": system.url}
    body = json.dumps({"link": secret, "password": PASSWORD}).encode()
    assert system.request("POST", "/api/passwords", body, **own).status == 204
    body = json.dumps({"email": EMAIL, "password": PASSWORD}).encode()
    opened = system.request("POST", "/api/sessions", body, **own)
    cookies = [value for name, value in opened.pairs if name.lower() == "set-cookie"]
    return str(next(one for one in cookies if one.startswith("presstally_session=")).partition(";")[0])


def test_form_that_reaches_two_processes_takes_effect_once(system: Any, replica: int) -> None:
    """An article, sent at once to both, is one; its review, sent again to the other one later, is no conflict."""
    given = {"cookie": session_of(system), "host": system.url.removeprefix("http://"), "accept_language": "vi"}
    sent = {**given, "origin": system.url, "content_type": "application/x-www-form-urlencoded"}
    ports = (system.port("articles"), replica)

    def form_at(path: str, identity: str) -> dict[str, str]:
        page = system.get(f"http://127.0.0.1:{replica}{path}", **given)
        assert page.status == 200, page.text
        return dict(next(one for one in FormReader(page.text).forms if one["id"] == identity)["fields"])

    def send(port: int, path: str, form: dict[str, str]) -> Any:
        return system.request("POST", f"http://127.0.0.1:{port}{path}", urlencode(form).encode(), **sent)

    path = "/ban-bien-tap/bai-viet/moi?site=haihau"
    typed = {"title": "Hai tiến trình", "body": "Đoạn", "section": "tin-tuc", "action": "save"}
    form = {**form_at(path, "write"), **typed}
    form.pop("key")  # what makes this page's request take effect once by itself
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda port: send(port, path, form), ports))
    assert [one.status for one in both] == [303, 303], [one.text for one in both]
    assert both[0].headers["location"] == both[1].headers["location"]
    article = both[0].headers["location"].partition("?")[0]
    form = {**form_at(article, "write"), "title": "Hai tiến trình, một bài", "action": "submit"}
    first, second = (send(port, article, form) for port in ports)
    assert (first.status, second.status) == (303, 303), second.text
    assert first.headers["location"] == second.headers["location"]
    found = system.get("/api/articles?site=haihau&q=Hai+ti%E1%BA%BFn+tr%C3%ACnh", cookie=given["cookie"]).json()
    assert [(one["title"], one["state"]) for one in found["articles"]] == [("Hai tiến trình, một bài", "in_review")]
