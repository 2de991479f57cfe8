"""Own traffic on the real system: by address and by a signed link, through the gateway, to the ledger."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import asyncpg

from tests.conftest import ROOT

NewId = Callable[[], str]
Wait = Callable[..., Any]
OWN = "counted as own traffic"
OWN_EVENTS = """
SELECT coalesce(sum(events), 0) FROM stats.ledger
WHERE site = 'haihau' AND outcome = 'bot' AND reason = 'own'
    AND generation = (SELECT generation FROM stats.generations WHERE state = 'current')
"""


def own_events(system: Any) -> int:
    """Return how many events of the site the ledger has as own traffic."""

    async def read() -> int:
        connection = await asyncpg.connect(system.database_url)
        try:
            return int(await connection.fetchval(OWN_EVENTS))
        finally:
            await connection.close()

    return asyncio.run(read())


def link_of(system: Any, *arguments: str) -> str:
    command = [sys.executable, "-m", "services.ingest", "own-traffic-link", "--site", "haihau", *arguments]
    stores = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    done = subprocess.run(
        command, cwd=ROOT, env={**system.environment, **stores}, capture_output=True, text=True, check=True
    )
    return done.stdout.split()[0]


def test_staff_leave_and_join_the_numbers_of_people(system: Any, new_id: NewId, wait: Wait) -> None:
    """A link's cookie marks each event of the browser, other cookies do not; ledger and page have them apart."""
    link = link_of(system)
    path = link.removeprefix(system.url)
    assert path.startswith("/e/own-traffic?link=haihau.")
    before, agent = own_events(system), system.another_person()
    for method in ("GET", "HEAD"):
        opened = system.request(method, path, user_agent="Zalo/1 link preview")
        assert (opened.status, "set-cookie" in opened.headers) == (200, False)
    form = {"action": "own", "link": path.partition("link=")[2]}
    sent = {"content_type": "application/x-www-form-urlencoded", "origin": system.url, "user_agent": agent}
    chosen = system.request("POST", "/e/own-traffic", urlencode(form).encode(), **sent)
    assert (chosen.status, chosen.headers["location"]) == (303, "own-traffic")
    cookie = chosen.headers["set-cookie"].partition(";")[0]

    def view(cookies: str) -> str | None:
        event = {"id": new_id(), "site": "haihau", "kind": "view", "path": "/own.html"}
        answer = system.post_events(event, user_agent=agent, **({"cookie": cookies} if cookies else {}))
        assert answer.status == 202
        assert "set-cookie" not in answer.headers
        return answer.headers.get("x-presstally")

    assert view(f"a=b; {cookie}; presstally_session=c") == OWN
    assert view(cookie) == OWN
    assert view("") is None
    assert view("a=b; presstally_own=haihau.1.x") is None
    assert view(cookie[:-1]) is None
    pixel = system.get("/p.gif?site=haihau&path=/own.html", user_agent=agent, cookie=cookie)
    assert pixel.status == 200
    wait(lambda: own_events(system) == before + 3, what="own traffic in the ledger")
    back = system.request("POST", "/e/own-traffic", b"action=count", cookie=cookie, **sent)
    assert "Max-Age=0" in back.headers["set-cookie"]
    page = wait(lambda: (text := system.get("/stats/haihau?lang=en").text) and 'class="own"' in text and text, 30)
    assert "Own traffic" in page


def test_own_address_behind_the_proxy_is_own_traffic(system: Any, new_id: NewId) -> None:
    """The address counts that the trusted proxy names, IPv4 and IPv6; what a client claims does not."""
    collector = f"http://127.0.0.1:{system.port('ingest')}"
    for address, note in (
        ("198.51.100.77", OWN),
        ("2001:db8:e77:1::9", OWN),
        ("::ffff:198.51.100.77", OWN),
        ("198.51.100.78", None),
        ("198.51.100.77, 198.51.100.78", None),
        ("unknown", None),
    ):
        event = f'{{"id": "{new_id()}", "site": "haihau", "kind": "view", "path": "/own-address.html"}}'.encode()
        sent = {"content_type": "application/json", "x_forwarded_for": address}
        answer = system.request("POST", f"{collector}/e", event, **sent)
        assert (answer.status, answer.headers.get("x-presstally")) == (202, note), address
    claimed = {"id": new_id(), "site": "haihau", "kind": "view", "path": "/own-address.html"}
    assert "x-presstally" not in system.post_events(claimed, x_forwarded_for="198.51.100.77").headers


def test_link_below_the_prefix_of_a_websites_own_proxy(system: Any) -> None:
    """A website that passes events on below a prefix gets a link below it."""
    link = link_of(system, "--url", "https://haihau.example/thong-ke/", "--days", "90")
    assert urlsplit(link)[:3] == ("https", "haihau.example", "/thong-ke/e/own-traffic")
