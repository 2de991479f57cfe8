"""The snippets of docs/tracking.md for first-party proxying, as they are written: nginx, Caddy, a worker in Node."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

from tests.conftest import PERSON, ROOT, free_ports, wait_for
from tests.e2e.test_behind_proxies import caddy
from tests.e2e.test_own_traffic import link_of, own_events

DOCUMENT = (ROOT / "docs/tracking.md").read_text(encoding="utf-8")
PRESSTALLY = "https://presstally.example"
TRUSTED_ADDRESS = "127.2.0.9"
ORIGIN = "http://localhost:8080"
RUNNER = """
import { createServer } from "node:http";
import worker from "./worker.mjs";

createServer(async (incoming, outgoing) => {
  const chunks = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const headers = new Headers(incoming.headers);
  headers.set("cf-connecting-ip", incoming.socket.remoteAddress.replace("::ffff:", ""));
  const body = incoming.method === "POST" ? Buffer.concat(chunks) : undefined;
  const request = new Request(`http://website.example${incoming.url}`, { method: incoming.method, headers, body });
  const answer = await worker.fetch(request, { PRESSTALLY_TOKEN: process.env.TOKEN });
  outgoing.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" });
  outgoing.end(Buffer.from(await answer.arrayBuffer()));
}).listen(Number(process.env.PORT), "127.0.0.1");
"""


def snippet(language: str, gateway: str) -> str:
    """Return the document's snippet; only the address of Presstally is replaced."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert PRESSTALLY in found
    return str(found.replace(PRESSTALLY, gateway))


@pytest.fixture(scope="module")
def trusted_gateway(system: Any) -> Iterator[str]:
    """The gateway's address, reached from a trusted address, as from the machine of a website's own proxy."""
    target = ("127.0.0.1", urlsplit(system.url).port)
    listener = socket.create_server(("127.0.0.1", 0))

    def copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def relay(client: socket.socket) -> None:
        with client, socket.create_connection(target, source_address=(TRUSTED_ADDRESS, 0)) as server:
            sending = threading.Thread(target=copy, args=(client, server))
            sending.start()
            copy(server, client)
            sending.join()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=relay, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def ask(
    port: int, method: str, path: str, source: str = "127.0.0.1", body: Any = None, **headers: str
) -> tuple[int, bytes]:
    """Send a request from an address; return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method, path, text, {"user-agent": PERSON, "origin": ORIGIN, **named})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def staff_cookie(port: int, link: str) -> str:
    """Press the button of a staff link below the website's prefix, and return the cookie."""
    path = urlsplit(link)
    assert ask(port, "GET", f"{path.path}?{path.query}")[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    form = urlencode({"action": "own", "link": path.query.removeprefix("link=")})
    headers = {"origin": ORIGIN, "content-type": "application/x-www-form-urlencoded"}
    connection.request("POST", path.path, form, headers)
    answer = connection.getresponse()
    assert (answer.status, urljoin(link, answer.headers["location"])) == (303, link.partition("?")[0])
    connection.close()
    return str(answer.headers["set-cookie"]).partition(";")[0]


def serves(port: int) -> bool:
    try:
        return ask(port, "GET", "/thong-ke/t.js")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


@contextmanager
def nginx(gateway: str, folder: Path) -> Iterator[int]:
    port = free_ports(1)
    (folder / "nginx.conf").write_text(f"""
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        {snippet("nginx", gateway)}
    }}
}}
""")
    command = ["/usr/sbin/nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    process = subprocess.Popen(command)
    try:
        wait_for(lambda: serves(port), what="nginx")
        yield port
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def caddy_proxy(gateway: str, folder: Path) -> Iterator[int]:
    port = free_ports(1)
    options = "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n"
    (folder / "Caddyfile").write_text(f"{options}http://127.0.0.1:{port} {{\n{snippet('caddyfile', gateway)}\n}}\n")
    with caddy(folder / "Caddyfile", f"http://127.0.0.1:{port}/thong-ke/t.js", {}):
        yield port


@contextmanager
def worker(gateway: str, folder: Path, token: str) -> Iterator[int]:
    port = free_ports(1)
    (folder / "worker.mjs").write_text(snippet("js", gateway))
    (folder / "runner.mjs").write_text(RUNNER)
    environment = {"PATH": "/usr/bin:/bin", "TOKEN": token, "PORT": str(port)}
    process = subprocess.Popen(["node", "runner.mjs"], cwd=folder, env=environment)
    try:
        wait_for(lambda: serves(port), what="the worker")
        yield port
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(params=["nginx", "caddy", "worker"])
def website(request: pytest.FixtureRequest, system: Any, trusted_gateway: str, tmp_path: Path) -> Iterator[int]:
    """The port of a website whose server passes the tracker on."""
    if request.param == "worker":
        command = [sys.executable, "-m", "services.ingest", "token", "create", "--name", "CDN", "--scope", "events"]
        command += ["--site", "haihau"]
        environment = {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        with worker(system.url, tmp_path, done.stdout.strip()) as port:
            yield port
    else:
        with {"nginx": nginx, "caddy": caddy_proxy}[request.param](trusted_gateway, tmp_path) as port:
            yield port


def test_proxied_views_are_counted_by_their_visitors(
    website: int, system: Any, wait: Callable[..., Any], new_id: Callable[[], str]
) -> None:
    """Each client address is a visitor, whatever addresses it claims; with Sec-GPC a view has none."""
    agent, article = system.another_person(), new_id()
    assert ask(website, "GET", "/thong-ke/t.js")[1] == system.get("/t.js", accept_encoding="identity").body

    def view(source: str, **headers: str) -> int:
        event = {"id": new_id(), "site": "haihau", "kind": "view", "path": "/a", "article": article, "age": 0}
        sent = {"content_type": "text/plain;charset=UTF-8", "user_agent": agent, **headers}
        return ask(website, "POST", "/thong-ke/e", source, event, **sent)[0]

    claimed = {
        "x_forwarded_for": "198.51.100.7, 127.2.0.9",
        "cf_connecting_ip": "198.51.100.7",
        "forwarded": "for=1.2.3.4",
    }
    assert [view("127.3.0.1"), view("127.3.0.2"), view("127.3.0.1", **claimed)] == [202, 202, 202]
    assert view("127.3.0.3", sec_gpc="1") == 202

    def total(measure: str) -> int:
        return int(system.get(f"/stats/haihau/articles/{article}/counter?measure={measure}").json()["total"])

    wait(lambda: total("views") == 4)
    assert (total("views"), total("visitors")) == (4, 2)


@pytest.mark.parametrize("server", [nginx, caddy_proxy])
def test_staff_of_a_proxied_website_are_own_traffic(  # noqa: PLR0917
    server: Any, system: Any, trusted_gateway: str, tmp_path: Path, wait: Callable[..., Any], new_id: Callable[[], str]
) -> None:
    """The link below the website's prefix sets a cookie of the website's host, which marks its events."""
    with server(trusted_gateway, tmp_path) as port:
        cookie = staff_cookie(port, link_of(system, "--url", f"http://127.0.0.1:{port}/thong-ke"))
        before = own_events(system)
        event = {"id": new_id(), "site": "haihau", "kind": "view", "path": "/staff", "age": 0}
        assert ask(port, "POST", "/thong-ke/e", body=event, content_type="text/plain", cookie=cookie)[0] == 202
        wait(lambda: own_events(system) == before + 1, what="own traffic in the ledger")


def test_proxied_refusals_reach_the_page(website: int, new_id: Callable[[], str]) -> None:
    """A body that is no event is refused with 4xx, so that the tracker stops."""
    for body in (b"no JSON", b"[1]", b"[[]]", b"{}", b"null", json.dumps({"id": new_id(), "site": "nobody"}).encode()):
        assert 400 <= ask(website, "POST", "/thong-ke/e", body=body, content_type="text/plain")[0] < 429, body
