"""People through the gateway: the first administrator's command, log-in, changes, and cookies on public pages."""

import json
import subprocess
import sys
from typing import Any

from tests.conftest import ROOT

PASSWORD = "bốn từ không liên quan"


def person(system: Any, *words: str) -> str:
    environment = {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    command = [sys.executable, "-m", "services.ingest", "person", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_first_administrator_logs_in_through_the_gateway(system: Any) -> None:
    """One command and its link are enough; a change needs origin and token, and ends with the session."""
    link = person(system, "create", "--admin", "--email", "hoa@haihau.example", "--name", "Trần Hoa")
    page, _, secret = link.partition("#")
    assert page == f"{system.url}/ban-bien-tap/loi-moi"
    own = {"content_type": "application/json", "origin": system.url}
    body = json.dumps({"link": secret, "password": PASSWORD}).encode()
    assert system.request("POST", "/api/passwords", body, **own).status == 204
    body = json.dumps({"email": "hoa@haihau.example", "password": PASSWORD}).encode()
    assert system.request("POST", "/api/sessions", body, **{**own, "origin": "https://evil.example"}).status == 403
    opened = system.request("POST", "/api/sessions", body, **own)
    assert opened.status == 201, opened.text
    csrf = opened.json()["csrf_token"]
    cookies = [value for name, value in opened.pairs if name.lower() == "set-cookie"]
    session = next(one for one in cookies if one.startswith("presstally_session=")).partition(";")[0]
    draft = {"site": "haihau", "section": "tin-tuc", "title": "Bài của người", "body": "<p>x</p>"}
    sent = json.dumps(draft).encode()
    assert system.request("POST", "/api/articles", sent, **own, cookie=session).status == 403
    assert system.get("/api/me", cookie=session).json()["name"] == "Trần Hoa"
    assert system.request("POST", "/api/articles", sent, **own, cookie=session, x_csrf_token=csrf).status == 201
    closed = system.request("DELETE", "/api/sessions/current", None, **own, cookie=session, x_csrf_token=csrf)
    assert closed.status == 204
    assert system.get("/api/me", cookie=session).status == 401
    assert "hoa@haihau.example" in person(system, "list")


def test_public_pages_do_not_depend_on_cookies(system: Any) -> None:
    """With any cookie the portal, counters and files are the same, cacheable as before, and set none."""
    for path in ("/", "/tin-tuc/", "/stats/haihau/counter", "/t.js"):
        plain = system.get(path)
        with_cookie = system.get(path, cookie="presstally_session=x; __Host-presstally_session=y; other=z")
        assert with_cookie.status == plain.status == 200
        assert with_cookie.headers.get("cache-control") == plain.headers.get("cache-control")
        for answer in (plain, with_cookie):
            assert "set-cookie" not in answer.headers
            assert "cookie" not in answer.headers.get("vary", "").lower()
