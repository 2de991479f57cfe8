"""Nothing that any part writes has an address, a user agent, or more than the host of a referrer."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.conftest import PERSON

Wait = Callable[..., Any]
ADDRESS = "203.0.113.187"
ADDRESS_V6 = "2001:db8:77:187::9"
AGENT = "agent-of-one-reader-6f1c"
REFERRER = "https://search.example/path-of-referrer-31d7?query-of-referrer-98b2=1"
MARKERS = [ADDRESS, ADDRESS_V6, AGENT, "path-of-referrer-31d7", "query-of-referrer-98b2"]
PATHS = ("/", "/tin-tuc/", "/khong-co-1.html", "/t.js", "/stats/haihau", "/stats/nowhere", "/tim-kiem?q=x")
HEADERS = {"user_agent": f"{PERSON} {AGENT}", "x_forwarded_for": ADDRESS, "referer": REFERRER}


def raw_request(system: Any, head: str, body: bytes = b"", seconds: float = 0.0) -> None:
    """Send a request by hand, read for a while, and leave in the middle of the response."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in HEADERS.items()]
    with contextlib.closing(socket.create_connection(("127.0.0.1", system.base_port), 5)) as connection:
        connection.sendall("\r\n".join([head, "host: localhost", *lines, "", ""]).encode() + body)
        connection.settimeout(max(seconds, 0.05))
        with contextlib.suppress(OSError):
            while connection.recv(65_536):
                pass


def browse(system: Any, *forwarded_by: str) -> None:
    """Do what readers do, and what goes wrong with it."""
    view = {"id": str(uuid.uuid4()), "site": "haihau", "kind": "view", "path": "/tin.html", "referrer": REFERRER}
    for forwarded in forwarded_by or (ADDRESS, ADDRESS_V6, f"{ADDRESS}:8080", f"unknown, {ADDRESS}"):
        sent = {**HEADERS, "x_forwarded_for": forwarded}
        with contextlib.suppress(OSError):
            own = {
                **sent,
                "content_type": "text/plain",
                "referer": "http://localhost:8080/path-of-referrer-31d7?query-of-referrer-98b2",
            }
            system.post_events({**view, "id": str(uuid.uuid4())}, **own)
            body = json.dumps({**view, "id": str(uuid.uuid4())}).encode()
            system.request("POST", f"http://127.0.0.1:{system.port('ingest')}/e", body, **own)
            for path in PATHS:
                system.get(path, **sent)
            system.get("/p.gif?site=haihau&path=/tin.html", **{**sent, "referer": f"{system.url}/tin.html"})
            system.get("/p.gif?site=haihau&path=/tin.html", **sent)
            system.post_events({**view, "kind": "click"}, **sent)
            system.post_events(b"{", **sent)
            system.post_events(b"x" * 600_000, **sent)
            system.get("/api/articles/none", authorization="Bearer pt_bad", **sent)
    raw_request(system, "GET /stats/haihau/live HTTP/1.1", seconds=1)
    raw_request(system, "GET / HTTP/1.1")
    raw_request(system, "POST /e HTTP/1.1\r\ncontent-length: 5000", b'{"id"')
    raw_request(system, "POST /e HTTP/1.1\r\ntransfer-encoding: chunked", b"zz\r\n")
    raw_request(system, "POST /api/articles HTTP/1.1\r\ncontent-length: 5000", b"{")
    raw_request(system, f"GET /{'x' * 20_000} HTTP/1.1")


def kill_and_wait(system: Any, wait: Wait, part: str, number: int) -> None:
    pid = system.state()["parts"][part]
    os.kill(pid, number)
    wait(lambda: system.state()["parts"].get(part) not in (None, pid), 30, part)


def files_with_markers(home: Path) -> Iterator[str]:
    for file in sorted(path for path in home.rglob("*") if path.is_file() and not path.is_symlink()):
        with contextlib.suppress(FileNotFoundError):  # Postgres and Kafka delete files
            content = file.read_bytes()
            yield from (f"{marker} in {file.relative_to(home)}" for marker in MARKERS if marker.encode() in content)


def test_nothing_written_identifies_a_reader(system: Any, wait: Wait) -> None:
    """After browsing, faults and restarts, no log and no store has a reader's address, agent or full referrer."""
    browse(system)
    streams = [
        threading.Thread(target=raw_request, args=(system, "GET /stats/haihau/live HTTP/1.1"), kwargs={"seconds": 10})
        for _ in range(3)
    ]
    for stream in streams:
        stream.start()
    time.sleep(0.5)
    for part in ("stats", "render", "ingest"):  # with live streams and requests in progress
        kill_and_wait(system, wait, part, signal.SIGKILL)
        browse(system, ADDRESS)
    os.kill(system.state()["parts"]["kafka"], signal.SIGSTOP)
    try:
        browse(system, ADDRESS)  # the first event waits until it goes to the spool
    finally:
        os.kill(system.state()["parts"]["kafka"], signal.SIGCONT)
    kill_and_wait(system, wait, "gateway", signal.SIGTERM)
    for stream in streams:
        stream.join(30)
    wait(system.all_ready, 60, "health")
    wait(lambda: not list((system.home / "spool").rglob("*.spool")), what="the spool's end")
    assert list(files_with_markers(system.home)) == []
    # The searched files are the intended ones: each part's log, and the stores that have the events themselves.
    logs = {file.stem for file in (system.home / "logs").glob("*.log")}
    assert logs >= set(system.state()["parts"])
    segments = b"".join(file.read_bytes() for file in (system.home / "kafka").rglob("page-views-*/*.log"))
    assert b'"referrer":"search.example"' in segments
