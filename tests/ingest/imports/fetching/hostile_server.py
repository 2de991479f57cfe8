"""A web server on loopback that does what servers should not do, and records what it is asked."""

import contextlib
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from PIL import Image as Picture

PUBLIC = "93.184.215.14"
"""A public address: tests connect to the server on loopback instead."""


def png(color: str = "red", size: int = 24) -> bytes:
    """Return an image."""
    output = io.BytesIO()
    Picture.new("RGB", (size, size), color).save(output, "PNG")
    return output.getvalue()


@dataclass
class HostileServer:
    """What it is asked, by path; each path is a behaviour of its own."""

    port: int = 0
    paths: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    connections: int = 0
    has_endless_handshake: bool = False
    """It sends a part of a TLS record now and then, and nothing else."""
    names: list[str | None] = field(default_factory=list)
    """The names that TLS clients asked for (SNI)."""

    def answer(self, client: socket.socket, path: str) -> None:
        """Answer a request."""
        parts = urlsplit(path)
        name = parts.path.strip("/").split("/")[0].removesuffix(".png").replace("-", "_")
        behaviour: Callable[[socket.socket, str], None] | None = getattr(self, f"_{name}", None)
        if behaviour is None:
            self._image(client, parts.path)
        else:
            behaviour(client, unquote(parse_qs(parts.query).get("to", [""])[0]))

    def _send(self, client: socket.socket, status: str, body: bytes, *headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *headers]
        if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
            lines.append(f"Content-Length: {len(body)}")
        client.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def _image(self, client: socket.socket, path: str) -> None:
        size = 24 + sum(path.encode()) % 50  # each path has an image of its own
        self._send(client, "200 OK", png(size=size), "Content-Type: image/png")

    def _missing(self, client: socket.socket, to: str) -> None:
        self._send(client, "404 Not Found", b"no", "Content-Type: text/plain")

    def _redirect(self, client: socket.socket, to: str) -> None:
        self._send(client, "302 Found", b"", f"Location: {to}", "Set-Cookie: a=b")

    def _loop(self, client: socket.socket, to: str) -> None:
        self._send(client, "302 Found", b"", f"Location: /loop?{len(self.paths)}")

    def _page(self, client: socket.socket, to: str) -> None:
        self._send(client, "200 OK", b"<html>" * 1_000, "Content-Type: text/html; charset=utf-8")

    def _disguised(self, client: socket.socket, to: str) -> None:
        self._endless_of(client, b"<html>" * 1_000)

    def _endless(self, client: socket.socket, to: str) -> None:
        self._endless_of(client, png() + b"\0" * 10_000)

    def _endless_of(self, client: socket.socket, chunk: bytes) -> None:
        self._send(client, "200 OK", b"", "Content-Type: image/png", "Transfer-Encoding: chunked")
        while True:
            client.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")

    def _drip(self, client: socket.socket, to: str) -> None:
        self._send(client, "200 OK", png()[:4], "Content-Type: image/png", "Content-Length: 100000")
        self._slowly(client, b"\0")

    def _drip_headers(self, client: socket.socket, to: str) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        self._slowly(client, b"y")

    def _continue(self, client: socket.socket, to: str) -> None:
        self._slowly(client, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _silent(self, client: socket.socket, to: str) -> None:
        time.sleep(30)

    def _slowly(self, client: socket.socket, piece: bytes) -> None:
        while True:
            client.sendall(piece)
            time.sleep(0.02)

    def _headers(self, client: socket.socket, to: str) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            client.sendall(b"X: y\r\n" * 100)

    def _bomb(self, client: socket.socket, to: str) -> None:
        body = png()  # whatever it expands to
        self._send(client, "200 OK", body, "Content-Type: image/png", "Content-Encoding: gzip")

    def _huge(self, client: socket.socket, to: str) -> None:
        self._send(client, "200 OK", png(), "Content-Type: image/png", "Content-Length: 10000000000")

    def _cut_off(self, client: socket.socket, to: str) -> None:
        body = png()
        self._send(client, "200 OK", body, "Content-Type: image/png", f"Content-Length: {len(body) + 1}")

    def _too_long(self, client: socket.socket, to: str) -> None:
        body = png()
        self._send(client, "200 OK", body + b"x" * 100_000, "Content-Type: image/png", f"Content-Length: {len(body)}")
        time.sleep(30)

    def _negative(self, client: socket.socket, to: str) -> None:
        self._send(client, "200 OK", png(), "Content-Type: image/png", "Content-Length: -5")

    def _nothing(self, client: socket.socket, to: str) -> None:
        self._send(client, "200 OK", b"", "Content-Type: image/png")

    def _damaged(self, client: socket.socket, to: str) -> None:
        self._send(client, "200 OK", png()[:8] + b"x" * 2_000, "Content-Type: image/png")

    def _noise(self, client: socket.socket, to: str) -> None:
        client.sendall(b"\x00\x01SSH-2.0\r\n\r\n")


@contextlib.contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[HostileServer]:
    """Yield a running server."""
    server = HostileServer()
    listener = socket.create_server(("127.0.0.1", 0))
    server.port = listener.getsockname()[1]
    clients: list[socket.socket] = []
    if tls is not None:
        tls.sni_callback = lambda _, name, __: server.names.append(name)

    def handle(client: socket.socket) -> None:
        try:
            if server.has_endless_handshake:
                client.sendall(b"\x16\x03\x03\x3f\xff")  # the head of a record of 16 KiB
                server._slowly(client, b"\x02")
            if tls is not None:
                client = tls.wrap_socket(client, server_side=True)
                clients.append(client)
            head = client.recv(65_536).decode()
            server.headers.append(head)
            server.paths.append(head.split(" ")[1])
            server.answer(client, server.paths[-1])
        except (OSError, IndexError):
            pass
        finally:
            client.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server.connections += 1
                clients.append(client)
                threading.Thread(target=handle, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)


@dataclass
class FakeNet:
    """Names with public addresses; connections to those reach a server on loopback."""

    server: HostileServer
    answers: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connected: list[tuple[str, int]] = field(default_factory=list)

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host."""
        self.asked.append(host)
        return self.answers.get(host, [PUBLIC])

    def connect(self, address: str, port: int, timeout_seconds: float) -> socket.socket:
        """Connect to the server, whatever the address."""
        self.connected.append((address, port))
        return socket.create_connection(("127.0.0.1", self.server.port), timeout_seconds)
