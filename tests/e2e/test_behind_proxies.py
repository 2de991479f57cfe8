"""Visitors behind two and three real Caddies in a row are the same visitors as without any."""

import http.client
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PERSON, ROOT, answers, free_ports, wait_for
from tests.settled import settled_counter

SITE = "haihau"
READERS = 10
CONFIG = """
{{
	admin off
	auto_https off
	persist_config off
	servers {{
		trusted_proxies static 127.2.0.0/16 {trusted}
	}}
}}
http://:{port} {{
	bind {bind}
	respond /alive 200
	reverse_proxy {upstream} {{
		transport http {{
			local_address {source}
		}}
	}}
}}
"""


@pytest.fixture(scope="module")
def outermost(system: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Two proxies in front of the gateway, at trusted addresses; yield the outer one's port."""
    ports = free_ports(2)
    folder = tmp_path_factory.mktemp("proxies")
    with ExitStack() as running:
        for port, upstream in ((ports, f"127.0.0.1:{ports + 1}"), (ports + 1, f"127.0.0.1:{system.base_port}")):
            given = {"bind": "127.0.0.1", "source": f"127.2.0.{port - ports + 1}", "trusted": ""}
            config = folder / f"{port}.caddyfile"
            config.write_text(CONFIG.format(port=port, upstream=upstream, **given))
            running.enter_context(caddy(config, f"http://127.0.0.1:{port}/alive", {}))
        yield ports


@pytest.fixture(scope="module")
def outermost_to_ipv6(system: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A proxy that is reached over IPv4, then one and the gateway's own configuration over IPv6; yield the port."""
    ports = free_ports(3)
    folder = tmp_path_factory.mktemp("ipv6")
    with ExitStack() as running:
        for port, bind in ((ports, "127.0.0.1"), (ports + 1, "::1")):
            config = folder / f"{port}.caddyfile"
            given = {"bind": bind, "source": "::1", "trusted": "::1/128"}
            config.write_text(CONFIG.format(port=port, upstream=f"[::1]:{port + 1}", **given))
            host = "[::1]" if ":" in bind else bind
            running.enter_context(caddy(config, f"http://{host}:{port}/alive", {}))
        names = {"COLLECTOR": "ingest", "ARTICLES": "articles", "STATS": "stats", "RENDER": "render"}
        own = {f"{name}_UPSTREAM": f"127.0.0.1:{system.port(service)}" for name, service in names.items()}
        own |= {
            "GATEWAY_ADDRESS": f"http://:{ports + 2}",
            "GATEWAY_BIND": "::1",
            "PRESSTALLY_TRUSTED_PROXIES": "::1/128",
        }
        running.enter_context(caddy(ROOT / "deploy/gateway/Caddyfile", f"http://[::1]:{ports + 2}/t.js", own))
        yield ports


@contextmanager
def caddy(config: Path, alive: str, environment: dict[str, str]) -> Iterator[None]:
    """Run a Caddy, once a URL of it is answered."""
    with tempfile.TemporaryDirectory() as home:
        own = {"HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home, **environment}
        command = [str(Path(sys.executable).parent / "caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
        with (Path(home) / "log").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **own}, stdout=log, stderr=log)
        try:
            wait_for(lambda: answers(alive), what=f"a proxy: {(Path(home) / 'log').read_text()}")
            yield
        finally:
            process.terminate()
            process.wait(20)


def send_view(port: int, source: str, agent: str, *forwarded: str) -> int:
    """Send a view from a source address, with X-Forwarded-For headers of its own invention; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, 10, source_address=(source, 0))
    event = {"id": str(uuid.uuid4()), "site": SITE, "kind": "view", "path": "/proxies.html"}
    try:
        connection.putrequest("POST", "/e")
        body = json.dumps(event).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("user-agent", agent)]
        for name, value in [*headers, *(("x-forwarded-for", value) for value in forwarded)]:
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def visitors_and_views(system: Any) -> tuple[int, int]:
    visitors, views = (settled_counter(system, SITE, measure=measure)["total"] for measure in ("visitors", "views"))
    return int(visitors), int(views)


SPOOFED = (
    (),
    ("203.0.113.99",),
    ("203.0.113.99", "unknown"),
    ("127.0.0.1, ::1",),
    ("10.0.0.1, 127.0.0.1",),
    ("\xe9",),
    ("203.0.113.99:80, [::1]:80",),
    ("for=203.0.113.99",),
    (",,,",),
    ("x" * 8_000,),
)


def test_readers_behind_proxies_are_the_readers_that_come_straight(
    system: Any, outermost: int, wait: Callable[..., Any]
) -> None:
    """Ten readers behind three proxies are ten visitors, whatever they invent, and the same ten with fewer proxies."""
    agent = f"{PERSON} proxies/{uuid.uuid4()}"
    before = visitors_and_views(system)
    for number, spoofed in enumerate(SPOOFED):
        assert send_view(outermost, f"127.1.0.{number + 1}", agent, *spoofed) == 202
    expected = (before[0] + READERS, before[1] + READERS)
    wait(lambda: visitors_and_views(system) == expected, what=f"{expected} visitors and views")
    for number, spoofed in enumerate(SPOOFED):
        assert send_view(outermost + 1, f"127.1.0.{number + 1}", agent, *reversed(spoofed)) == 202  # one proxy less
        assert send_view(system.base_port, f"127.1.0.{number + 1}", agent, *spoofed) == 202  # straight to the gateway
    expected = (before[0] + READERS, before[1] + 3 * READERS)
    wait(lambda: visitors_and_views(system) == expected, what=f"{expected} visitors and views")


def test_readers_over_ipv6_are_told_from_each_other(system: Any, outermost: int, wait: Callable[..., Any]) -> None:
    """What a trusted load balancer in front says is believed through all proxies, IPv6 and ports included."""
    agent = f"{PERSON} proxies/{uuid.uuid4()}"
    before = visitors_and_views(system)
    for port in (outermost, outermost + 1, system.base_port):
        for number in range(READERS):
            address = f"2001:DB8:0:{number}::1"
            for written in (address, f"[{address}]", f"203.0.113.1, [{address}]:{40_000 + number}"):
                assert send_view(port, "127.2.0.9", agent, written) == 202
    expected = (before[0] + READERS, before[1] + 9 * READERS)
    wait(lambda: visitors_and_views(system) == expected, what=f"{expected} visitors and views")


def test_readers_behind_ipv6_proxies_are_the_readers_that_come_straight(
    system: Any, outermost_to_ipv6: int, wait: Callable[..., Any]
) -> None:
    """Proxies that reach each other and the gateway over IPv6 sockets are no visitors, whatever is invented."""
    agent = f"{PERSON} proxies/{uuid.uuid4()}"
    before = visitors_and_views(system)
    for number, spoofed in enumerate(SPOOFED):
        assert send_view(outermost_to_ipv6, f"127.1.0.{number + 1}", agent, *spoofed) == 202
        assert send_view(system.base_port, f"127.1.0.{number + 1}", agent, *spoofed) == 202
        named = f"2001:db8:0:{number}::1"  # by a trusted proxy in front of both chains
        assert send_view(outermost_to_ipv6, "127.2.0.9", agent, named) == 202
        assert send_view(system.base_port, "127.2.0.9", agent, f"[{named}]:80") == 202
    expected = (before[0] + 2 * READERS, before[1] + 4 * READERS)
    wait(lambda: visitors_and_views(system) == expected, what=f"{expected} visitors and views")


def test_one_address_for_nearly_all_views_is_reported(system: Any, wait: Callable[..., Any]) -> None:
    """When a proxy hides the visitors, `make doctor` and a metric report it; views from many addresses end it."""
    command = [sys.executable, "-m", "deploy.cli", "doctor"]
    collector = f"http://127.0.0.1:{system.port('ingest')}"  # it trusts the test as it trusts the gateway
    agent = f"{PERSON} proxies/{uuid.uuid4()}"

    def doctor() -> str:
        done = subprocess.run(command, env=system.environment, capture_output=True, text=True, check=False)
        return next(line for line in done.stdout.splitlines() if "visitors:" in line)

    def send(source: Callable[[int], str]) -> None:
        for block in range(10):
            views = [{"id": str(uuid.uuid4()), "site": SITE, "kind": "view", "path": "/one.html"} for _ in range(100)]
            sent = {"x_forwarded_for": source(block), "user_agent": agent, "content_type": "text/plain"}
            assert system.request("POST", f"{collector}/e", json.dumps(views).encode(), **sent).status == 202

    send(lambda _: "198.51.100.1")
    assert "FAILED  visitors: 100% of the recent views came from one address" in doctor()
    assert "PRESSTALLY_TRUSTED_PROXIES" in doctor()
    metrics = system.get(f"{collector}/metrics").text
    assert "\npresstally_collect_address_share_ratio 1.0\n" in metrics
    send(lambda block: f"198.51.100.{block}")
    assert "ok      visitors: views come from different addresses" in doctor()
