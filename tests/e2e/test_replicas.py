"""The portal's replicas never serve outdated pages, and continue while Kafka or Postgres is unavailable."""

import asyncio
import http.client
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import psutil
import pytest

from deploy.local.postgres import Postgres
from services.render.builder import store
from shared.articles import Article, Paragraph
from shared.migrate import migrate
from shared.postgres import open_pool
from shared.sites_file import read_sites
from tests.conftest import free_ports, wait_for
from tests.databases import url_of
from tests.speed import assert_takes_at_most

ROOT = Path(__file__).parent.parent.parent
SITES = """
[[site]]
slug = "haihau"
name = "Hải Hậu"
origins = ["http://localhost:8080"]
timezone = "Asia/Ho_Chi_Minh"
sections = [{ slug = "a", name = "A" }, { slug = "b", name = "B" }, { slug = "tin-tuc", name = "Tin tức" }]
"""
NOBODY = "127.0.0.1:1"
PUBLISHING_SECONDS = 4.0
SWEPT_SECONDS = 2.5
CACHE_BYTES = 2 * 1024 * 1024
GROWTH_BYTES_MAX = 16 * 1024 * 1024
"""What a process may take more when it was asked for all its memory for pages twice over again."""


class Server:
    """A Postgres of a test's own, that it may freeze and kill."""

    def __init__(self, folder: Path, port: int) -> None:
        self._postgres = Postgres(folder, port)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._postgres.url

    def start(self) -> None:
        self._postgres.prepare()
        with (self._folder / "log").open("ab") as log:
            account = {**self._postgres.as_account(), "cwd": "/"}
            self._process = subprocess.Popen(self._postgres.command(), stdout=log, stderr=log, **account)
        wait_for(self._postgres.is_ready, what="Postgres")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        for process in [main, *main.children(recursive=True)]:
            process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    text: str


class Replica:
    """One process of the render service."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process

    def get(self, path: str, method: str = "GET", **headers: str) -> Got:
        """Ask, on a connection for this."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)) as connection:
            connection.request(method, path, headers=named)
            answer = connection.getresponse()
            body = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Got(answer.status, found, body.decode("utf-8", "replace"))

    def serves(self) -> bool:
        try:
            return self.get("/").status == 200
        except OSError:
            return False


class World:
    """A database, the portal's processes on it, and a builder's hand."""

    def __init__(self, server: Server, url: str, folder: Path) -> None:
        self.server = server
        self.url = url
        self.replicas: list[Replica] = []
        self.versions: dict[int, Article] = {}
        self._folder = folder
        self._sites = folder / "sites.toml"
        self._sites.write_text(SITES, encoding="utf-8")
        self.site = next(iter(read_sites(self._sites).values()))

    def start(self, *roles: str, **settings: str) -> Replica:
        port = free_ports(1)
        environment = {
            **os.environ,
            "DATABASE_URL": self.url,
            "KAFKA_BOOTSTRAP": NOBODY,
            "PRESSTALLY_SITES": str(self._sites),
            "PRESSTALLY_MEDIA": str(self._folder / "media"),
            "PRESSTALLY_HTTP_PORT": str(port),
            **settings,
        }
        with (self._folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "services.render", *roles]
            replica = Replica(port, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log))
        self.replicas.append(replica)
        wait_for(replica.serves, what="a site")
        return replica

    async def publish(self, number: int, **fields: Any) -> Article:
        """Commit the next version of an article, as a builder does."""
        before = self.versions.get(number)
        now = datetime.now(UTC)
        article = before or Article(
            id=f"a-{number}",
            number=number,
            site="haihau",
            version=0,
            state="published",
            title=f"Bài {number}",
            slug="bai",
            section="tin-tuc",
            language="vi",
            body=[Paragraph("Thân bài.")],
            modified_at=now,
            first_published_at=now,
            published_at=now,
        )
        after = msgspec.structs.replace(article, **{"version": article.version + 1, **fields})
        pool = await open_pool(self.url, role="presstally_render", size=1)
        try:
            await store.save(pool, after, self.site)
        finally:
            await pool.close()
        self.versions[number] = after
        return after


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    own = Server(tmp_path_factory.mktemp("own-postgres"), free_ports(1))
    own.start()
    yield own
    own.signal(signal.SIGKILL)


@pytest.fixture
def world(server: Server, tmp_path: Path) -> Iterator[World]:
    made = World(server, asyncio.run(make_database(server)), tmp_path)
    yield made
    for replica in made.replicas:
        replica.process.kill()
        replica.process.wait()


async def make_database(server: Server) -> str:
    name = f"portal_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = url_of(server.url, name)
    await migrate(url)
    return url


def version_of(page: str) -> int:
    found = re.search(r'presstally:version" content="(\d+)"', page)
    assert found, page[:300]
    return int(found[1])


def test_replicas_never_serve_what_is_old(world: World) -> None:
    """No reader of either of two replicas gets what is older than what was committed when he asked, on any surface."""
    asyncio.run(world.publish(1, title="Lần 1"))
    replicas = [world.start("site"), world.start("site")]
    committed, stop, asked = [1], threading.Event(), [0]

    def read(replica: Replica, path: str) -> None:
        while not stop.is_set():
            least = committed[0]
            page = replica.get(path, accept_encoding="identity").text
            seen = version_of(page) if path.endswith(".html") else int(max(re.findall(r"Lần (\d+)", page), key=int))
            assert seen >= least, f"{path} of replica {replica.port} is of version {seen}, {least} was committed"
            asked[0] += 1

    with ThreadPoolExecutor(12) as readers:
        paths = ("/bai-1.html", "/bai-1.html", "/bai-1.html", "/", "/rss.xml")
        reading = [readers.submit(read, replica, path) for replica in replicas for path in paths]
        try:
            asyncio.run(publish_again_and_again(world, committed, asked))
        finally:
            stop.set()
        for one in reading:
            one.result()
    asyncio.run(world.publish(1, state="killed"))
    for replica in replicas:
        assert replica.get("/bai-1.html").status == 410
        assert "Lần" not in replica.get("/").text


async def publish_again_and_again(world: World, committed: list[int], asked: list[int]) -> None:
    pool = await open_pool(world.url, role="presstally_render", size=1)
    begun = time.monotonic()
    while time.monotonic() - begun < PUBLISHING_SECONDS or committed[0] <= 20 or asked[0] <= 200:
        number = committed[0] + 1
        article = msgspec.structs.replace(world.versions[1], version=number, title=f"Lần {number}")
        await store.save(pool, article, world.site)
        committed[0] = number
        if number % 3 == 0:  # as after a quiet hour: versions are relied on without a query
            await pool.execute("UPDATE render.sites SET changed_at = now() - interval '1 hour'")
        await asyncio.sleep(random.uniform(0, 0.04))
    world.versions[1] = article
    await pool.close()


def seconds_of(replica: Replica, path: str) -> float:
    begun = time.monotonic()
    assert replica.get(path).status == 200
    return time.monotonic() - begun


@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_without_postgres_pages_come_from_memory(world: World, fault: str) -> None:
    """What was read before is served, but what was withdrawn before or ends meanwhile; afterwards all is as it was."""
    for number, section in ((1, "a"), (2, "b"), (3, "tin-tuc"), (4, "tin-tuc")):
        asyncio.run(world.publish(number, section=section))
    replica = world.start("site")
    ends = datetime.now(UTC) + timedelta(seconds=12)
    asyncio.run(world.publish(2, unpublish_at=ends))
    kept = ("/bai-1.html", "/robots.txt")
    for path in (*kept, "/bai-2.html", "/bai-3.html", "/", "/rss.xml", "/sitemap-articles-1.xml"):
        assert replica.get(path).status == 200, path
    asyncio.run(world.publish(3, state="killed"))
    time.sleep(SWEPT_SECONDS)
    world.server.signal(signal.SIGSTOP if fault == "frozen" else signal.SIGKILL)
    try:
        for path in kept:
            assert replica.get(path).status == 200
        assert replica.get("/bai-1.html", if_none_match="*").status == 304
        assert_takes_at_most(5, lambda: seconds_of(replica, "/bai-1.html"))
        assert replica.get("/bai-2.html").status == 200 or datetime.now(UTC) >= ends
        for path in ("/bai-3.html", "/", "/rss.xml", "/sitemap-articles-1.xml", "/bai-4.html", "/tim-kiem?q=bai"):
            got = replica.get(path)
            assert (got.status, got.headers["retry-after"]) == (503, "5"), path
        assert "Postgres" in replica.get("/readyz").text
        time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()) + 0.1)
        assert replica.get("/bai-2.html").status == 503
        assert replica.get("/bai-1.html").status == 200
    finally:
        world.server.signal(signal.SIGCONT) if fault == "frozen" else world.server.start()
    wait_for(lambda: replica.get("/bai-4.html").status == 200, what="Postgres")
    statuses = [replica.get(f"/bai-{number}.html").status for number in (1, 2, 3, 4)]
    assert statuses == [200, 404, 410, 200]
    wait_for(lambda: "Postgres" not in replica.get("/readyz").text)


def test_without_kafka_readers_notice_nothing(world: World) -> None:
    """A process of both roles serves pages, searches and new versions while its Kafka takes connections and is mute."""
    asyncio.run(world.publish(1, title="Chợ phiên"))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        replica = world.start(KAFKA_BOOTSTRAP=f"127.0.0.1:{mute.getsockname()[1]}")
        for _ in "made", "from memory":
            assert "Chợ phiên" in replica.get("/bai-1.html").text
            assert "Chợ phiên" in replica.get("/").text
        assert "<mark>Chợ</mark> <mark>phiên</mark>" in replica.get("/tim-kiem?q=cho+phien").text
        asyncio.run(world.publish(1, title="Chợ phiên Cồn"))
        assert version_of(replica.get("/bai-1.html").text) == 2


def test_the_server_says_the_rest(world: World) -> None:
    """Through the server, HEAD has the length and no body, a 304 has no body, and other methods are refused."""
    asyncio.run(world.publish(1, body=[Paragraph("Thân bài dài. " * 60)]))
    replica = world.start("site")
    for _ in "made", "from memory":
        for path in ("/bai-1.html", "/khong-co", "/tim-kiem?q=bai", "/favicon.ico"):
            whole, head = replica.get(path), replica.get(path, "HEAD")
            assert (head.status, head.text) == (whole.status, "")
            assert int(head.headers["content-length"]) == len(whole.text.encode()), path
        known = replica.get("/bai-1.html", if_none_match=replica.get("/bai-1.html").headers["etag"])
        assert (known.status, known.text) == (304, "")
        refused = replica.get("/bai-1.html", "DELETE")
        assert (refused.status, refused.headers["content-type"]) == (405, "application/problem+json")


async def test_memory_is_bounded(world: World) -> None:
    """However many pages, forms and invented addresses are asked for, memory for pages stays what it may be."""
    pool = await open_pool(world.url, role="presstally_render", size=4)
    chance = random.Random(5)
    first = await world.publish(1)

    async def save(number: int) -> None:
        body = [Paragraph("".join(chance.choices("abcdefgh ", k=4_000))) for _ in range(4)]
        article = msgspec.structs.replace(first, id=f"a-{number}", number=number, body=body)
        await store.save(pool, article, world.site)

    articles = 200
    await asyncio.gather(*(save(number) for number in range(2, articles + 2)))
    await pool.close()
    replica = await asyncio.to_thread(world.start, "site", PRESSTALLY_PAGE_CACHE_BYTES_MAX=str(CACHE_BYTES))
    process = psutil.Process(replica.process.pid)

    def ask(numbers: range) -> None:
        for number in numbers:
            for coding in ("br", "gzip", "identity"):
                assert replica.get(f"/bai-{number}.html?x={number}", accept_encoding=coding).status == 200
            replica.get(f"/invented-{number}", accept_encoding=f"gzip, x-{number}", host=f"h{number}.example")
            replica.get(f"/tin-tuc/?trang={number}", if_none_match=f'"{number}"')

    def ask_all(begin: int) -> None:
        with ThreadPoolExecutor(4) as readers:
            list(readers.map(ask, [range(begin + 25 * part, begin + 25 * (part + 1)) for part in range(4)]))

    ask_all(1)  # more bytes than fit, and the process's own growing up
    before = process.memory_info().rss
    ask_all(101)
    metrics = replica.get("/metrics").text
    (kept,) = re.findall(r"^presstally_page_cache_bytes (\S+)", metrics, re.MULTILINE)
    assert CACHE_BYTES * 0.8 < float(kept) <= CACHE_BYTES
    assert process.memory_info().rss - before < GROWTH_BYTES_MAX
