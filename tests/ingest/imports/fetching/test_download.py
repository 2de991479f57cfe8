"""Downloads from a hostile server on loopback, which is reached under public addresses only."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from services.ingest.imports.fetching import download as module
from services.ingest.imports.fetching.download import DownloadedImage, Downloader, DownloadLimits
from services.ingest.imports.fetching.targets import parse_hosts
from shared.http.targets import RequestError
from tests.ingest.imports.fetching.hostile_server import PUBLIC, FakeNet, HostileServer, serve

LIMITS = DownloadLimits(bytes=200_000, seconds=60, connect_seconds=60)
SHORT = DownloadLimits(bytes=200_000, seconds=1.5, connect_seconds=1)
SLOW = ("drip", "drip-headers", "continue", "silent")
ANY = parse_hosts("cu.example,*.cu.example,khac.example")


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with serve() as running:
        yield running


@pytest.fixture
def net(server: HostileServer) -> FakeNet:
    return FakeNet(server)


async def fetch(
    net: FakeNet,
    folder: Path,
    url: str,
    hosts: str = "",
    tls: ssl.SSLContext | None = None,
    *,
    limits: DownloadLimits = LIMITS,
) -> int:
    downloader = Downloader(limits, net.resolve, net.connect, tls)
    image = await downloader.download(url, parse_hosts(hosts) if hosts else ANY, folder / "original")
    assert isinstance(image, DownloadedImage)
    assert (folder / "original").stat().st_size == image.bytes
    return image.bytes


async def test_download_sends_host_and_nothing_personal(net: FakeNet, tmp_path: Path) -> None:
    """A request goes to the resolved address, with the name in Host, without cookies, compression or credentials."""
    assert await fetch(net, tmp_path, "http://cu.example/ảnh.png?a=b") > 50
    assert (net.asked, net.connected) == (["cu.example"], [(PUBLIC, 80)])
    head = net.server.headers[0]
    assert head.startswith("GET /%E1%BA%A3nh.png?a=b HTTP/1.1\r\nHost: cu.example\r\n")
    assert "Accept-Encoding: identity" in head
    assert not any(name in head for name in ("Cookie", "Authorization", "Referer"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing", "the server answered 404 Not Found"),
        ("page", "it has the type text/html, not that of an image"),
        ("disguised", "the file is HTML; supported types"),
        ("endless", "it has more than 200,000 bytes"),
        ("huge", "it has 10,000,000,000 bytes, more than 200,000"),
        ("bomb", "it is compressed (gzip) though nobody asked for that"),
        ("cut-off", r"it ended after \d+ of \d+ bytes"),
        ("nothing", "it is empty"),
        ("noise", "the transfer failed"),
        ("headers", "the transfer failed"),
        ("loop", "it was redirected more than 5 times"),
        ("drip", "it took more than 1.5 s"),
        ("drip-headers", "it took more than 1.5 s"),
        ("continue", "it took more than 1.5 s"),
        ("silent", "the server did not answer in time"),
        ("redirect?to=ftp://cu.example/a", "its URL starts with ftp"),
        ("redirect?to=http://an:b@cu.example/a", "its URL has a user name or a password"),
        ("redirect?to=http://trong.example/a", "the host trong.example is not allowed"),
        ("redirect?to=http://cu.example:22/a", "the port 22 of cu.example is not allowed"),
        ("redirect?to=file:///etc/passwd", "its URL starts with file"),
    ],
)
async def test_download_of_hostile_answer_is_cut(net: FakeNet, tmp_path: Path, path: str, reason: str) -> None:
    """Whatever a server answers costs bounded time and bytes, and is not fetched, with the reason."""
    begun = time.monotonic()
    with pytest.raises(RequestError, match=reason.replace("(", r"\(").replace(")", r"\)")):
        await fetch(net, tmp_path, f"http://cu.example/{path}", limits=SHORT if path in SLOW else LIMITS)
    assert time.monotonic() - begun < 60
    file = tmp_path / "original"
    assert not file.exists() or file.stat().st_size <= LIMITS.bytes


async def test_download_threads_end_with_their_deadline(net: FakeNet, tmp_path: Path) -> None:
    """A server that sends a byte now and then does not keep the thread of its download."""
    downloader = Downloader(DownloadLimits(seconds=0.3), net.resolve, net.connect)
    urls = [f"http://cu.example/{path}" for path in ("drip", "drip-headers", "continue")]
    tasks = [downloader.download(url, ANY, tmp_path / str(n)) for n, url in enumerate(urls)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one).__name__ for one in results] == ["UnreachableError"] * 3
    begun = time.monotonic()
    await asyncio.to_thread(downloader._threads.shutdown)
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("path", ["too-long", "negative"])
async def test_download_ends_with_the_announced_length(net: FakeNet, tmp_path: Path, path: str) -> None:
    """What follows the announced bytes is not read; a length that is no number is ignored."""
    assert await fetch(net, tmp_path, f"http://cu.example/{path}") < 1_000


async def test_download_resolves_once_and_connects_to_the_checked_address(net: FakeNet, tmp_path: Path) -> None:
    """DNS rebinding: the second answer of a name server is never asked for, so that it cannot lead elsewhere."""
    answers = [[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]]

    def resolve(host: str, port: int) -> list[str]:
        net.asked.append(host)
        return answers.pop(0)

    downloader = Downloader(LIMITS, resolve, net.connect)
    await downloader.download("http://cu.example/a.png", ANY, tmp_path / "original")
    assert (net.asked, net.connected) == (["cu.example"], [(PUBLIC, 80)])


async def test_download_by_the_system_resolver_is_pinned(
    net: FakeNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system resolves a host once; its next answers, which are loopback, get no connection."""
    answers = [PUBLIC, "127.0.0.1", "127.0.0.1"]
    asked: list[object] = []

    def getaddrinfo(host: object, port: object, *_: object, **__: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answers.pop(0), port))]

    real = socket.create_connection
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    connected: list[str] = []

    def connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
        connected.append(address)
        monkeypatch.undo()
        return real(("127.0.0.1", net.server.port), timeout_seconds)

    await Downloader(LIMITS, connect=connect).download("http://cu.example/a.png", ANY, tmp_path / "original")
    assert (asked, connected) == (["cu.example"], [PUBLIC])


LOOPBACK = ["127.0.0.1", "localhost", "127.1", "2130706433", "0177.0.0.1", "0x7f.0.0.1", "0.0.0.0", "127.0.0.1."]


@pytest.mark.parametrize(
    "host", [*LOOPBACK, "[::1]", "[::ffff:127.0.0.1]", "[::]", "[64:ff9b::7f00:1]", "１２７.0.0.1"]
)
async def test_download_from_this_machine_is_refused(server: HostileServer, tmp_path: Path, host: str) -> None:
    """No notation of an address of this machine is connected to, also if the host and the port are allowed."""
    hosts = parse_hosts(f"{host}:{server.port}")
    with pytest.raises(RequestError, match=r"which is not public|has no address"):
        await Downloader(LIMITS).download(f"http://{host}:{server.port}/a.png", hosts, tmp_path / "original")
    assert server.connections == 0


@pytest.mark.parametrize("host", LOOPBACK)
async def test_download_from_this_machine_works_without_the_check(
    server: HostileServer, tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test before would fail without the check: these notations do lead to the server."""
    monkeypatch.setattr(module, "is_public", bool)
    hosts = parse_hosts(f"{host}:{server.port}")
    await Downloader(LIMITS).download(f"http://{host}:{server.port}/a.png", hosts, tmp_path / "original")
    assert server.connections == 1


@pytest.mark.parametrize("answer", [["10.0.0.7"], [PUBLIC, "169.254.169.254"], ["::ffff:192.168.0.1", PUBLIC], []])
async def test_download_from_name_with_private_address_is_refused(
    net: FakeNet, tmp_path: Path, answer: list[str]
) -> None:
    """One address that is not public is enough to refuse a host; nothing is connected to."""
    net.answers["cu.example"] = answer
    with pytest.raises(RequestError, match="which is not public"):
        await fetch(net, tmp_path, "http://cu.example/a.png")
    assert net.connected == []


async def test_download_checks_the_addresses_of_each_redirect(net: FakeNet, tmp_path: Path) -> None:
    """A redirect is resolved, checked and pinned as the first request is; no cookie goes with it."""
    net.answers["anh.cu.example"] = ["93.184.215.15"]
    assert await fetch(net, tmp_path, "http://cu.example/redirect?to=//anh.cu.example/a.png") > 50
    assert net.connected == [(PUBLIC, 80), ("93.184.215.15", 80)]
    assert "Host: anh.cu.example\r\n" in net.server.headers[1]
    assert "Cookie" not in net.server.headers[1]
    net.answers["anh.cu.example"] = ["127.0.0.1"]
    with pytest.raises(RequestError, match=r"anh\.cu\.example has the address 127\.0\.0\.1"):
        await fetch(net, tmp_path, "http://cu.example/redirect?to=http://anh.cu.example/a.png")
    assert [address for address, _ in net.connected].count("127.0.0.1") == 0


async def test_download_redirect_to_private_literal_is_refused(net: FakeNet, tmp_path: Path) -> None:
    """A redirect to an address of this machine gets no connection, also if it is allowed as a host."""
    net.answers["127.0.0.1"] = ["127.0.0.1"]
    to = f"http://127.0.0.1:{net.server.port}/a.png"
    with pytest.raises(RequestError, match="which is not public"):
        await fetch(net, tmp_path, f"http://cu.example/redirect?to={to}", f"cu.example,127.0.0.1:{net.server.port}")
    assert net.server.connections == 1


async def test_download_ignores_proxies_of_the_environment(
    net: FakeNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve the host itself, where nobody checks the address."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await fetch(net, tmp_path, "http://cu.example/a.png") > 50
    assert net.connected == [(PUBLIC, 80)]


async def test_download_tries_the_other_addresses_of_a_host(net: FakeNet, tmp_path: Path) -> None:
    """A host whose first address does not answer is reached at its next one."""
    net.answers["cu.example"] = ["2606:4700::1", PUBLIC]

    def connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
        if address.startswith("2606"):
            raise OSError(101, "Network is unreachable")
        return net.connect(address, port, timeout_seconds)

    downloader = Downloader(LIMITS, net.resolve, connect)
    await downloader.download("http://cu.example/a.png", ANY, tmp_path / "original")
    assert net.connected == [(PUBLIC, 80)]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_download_tls_has_the_name_and_checks_the_certificate(authority: trustme.CA, tmp_path: Path) -> None:
    """TLS asks for the host's name (SNI) at the pinned address, and accepts only a certificate of that name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("cu.example").configure_cert(context)
    with serve(context) as server:
        net = FakeNet(server)
        assert await fetch(net, tmp_path, "https://cu.example/a.png", tls=trusting(authority)) > 50
        assert (server.names, net.connected) == (["cu.example"], [(PUBLIC, 443)])
        assert "Host: cu.example\r\n" in server.headers[0]
        with pytest.raises(RequestError, match="its certificate is not valid"):
            await fetch(net, tmp_path, "https://khac.example/a.png", tls=trusting(authority))
        with pytest.raises(RequestError, match="its certificate is not valid"):
            await fetch(net, tmp_path, "https://cu.example/a.png")
        with pytest.raises(RequestError, match="it took more than"):
            await fetch(net, tmp_path, "https://cu.example/drip", tls=trusting(authority), limits=SHORT)


async def test_download_tls_handshake_that_never_ends_is_cut(net: FakeNet, tmp_path: Path) -> None:
    """A server that drips bytes instead of a handshake is cut at the deadline."""
    net.server.has_endless_handshake = True
    limits = DownloadLimits(seconds=0.5, connect_seconds=60)  # the time of a whole handshake, as Python has it
    begun = time.monotonic()
    with pytest.raises(RequestError, match=r"it took more than 0\.5 s"):
        await Downloader(limits, net.resolve, net.connect).download("https://cu.example/a.png", ANY, tmp_path / "a")
    assert time.monotonic() - begun < 60
