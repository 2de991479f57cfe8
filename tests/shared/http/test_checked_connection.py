"""Connections go to checked addresses only, try several, and can be cut wherever they wait."""

import socket
import ssl
import threading
from collections.abc import Callable

import pytest

from shared.http.checked_connection import ADDRESSES_MAX, OpenConnection, Transfer, UnreachableError, open_checked
from shared.http.targets import RequestError, parse_target

TARGET = parse_target("http://hub.example:8080/")


def opened(
    addresses: list[str],
    is_allowed: Callable[[str], bool] = bool,
    connect: Callable[[str, int, float], socket.socket] | None = None,
) -> tuple[list[str], socket.socket]:
    """Open a connection, and return the addresses that were tried, and the socket."""
    tried: list[str] = []
    ends = socket.socketpair()

    def connect_to(address: str, port: int, seconds: float) -> socket.socket:
        tried.append(address)
        return connect(address, port, seconds) if connect else ends[0]

    transfer = Transfer()
    try:
        found = open_checked(
            TARGET,
            transfer,
            is_allowed,
            resolve=lambda *_: addresses,
            connect=connect_to,
            tls=ssl.create_default_context(),
            connect_seconds=1,
        )
        return tried, found
    finally:
        transfer.close()
        for end in ends:
            end.close()


def test_open_checked_with_one_refused_address_connects_to_none() -> None:
    """All addresses of a host have to be allowed before one is used, and there has to be one."""
    with pytest.raises(RequestError, match=r"has the address 10\.0\.0\.1, which is not public"):
        opened(["8.8.8.8", "10.0.0.1"], lambda address: address == "8.8.8.8")
    with pytest.raises(RequestError):
        opened([])
    tried, _ = opened(["8.8.8.8", "9.9.9.9"])
    assert tried == ["8.8.8.8"]


def test_open_checked_tries_a_few_addresses() -> None:
    """An address that does not answer is followed by the next, up to a limit; the last fault is the reason."""
    tried: list[str] = []

    def refuse(address: str, port: int, seconds: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError(111, "refused")

    with pytest.raises(UnreachableError, match=r"hub\.example does not answer: ConnectionRefusedError"):
        opened([f"8.8.8.{number}" for number in range(9)], connect=refuse)
    assert len(tried) == ADDRESSES_MAX


def test_transfer_that_is_cut_ends_a_read_and_later_connections() -> None:
    """A read that waits ends at once, and a connection that is opened afterwards is cut, too."""
    transfer = Transfer()
    here, there = socket.socketpair()
    late, far = socket.socketpair()
    with here, there, late, far:
        transfer.watch(here)
        threading.Timer(0.1, transfer.cut).start()
        assert here.recv(1) == b""
        transfer.watch(late)
        assert late.recv(1) == b""
        transfer.close()


def test_open_connection_that_was_closed_does_not_connect_again() -> None:
    """The client of HTTP would resolve the host once more, so it may not connect by itself."""
    here, there = socket.socketpair()
    with there:
        connection = OpenConnection(TARGET, here)
        connection.close()
        with pytest.raises(UnreachableError):
            connection.request("GET", "/")
