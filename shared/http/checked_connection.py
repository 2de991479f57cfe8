"""Connections to hosts that nobody trusts: only to addresses that were checked.

A host is resolved once. Each of its addresses has to be allowed, and the connection goes to an address that was
checked: a name server that gives another answer a moment later changes nothing.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable

from shared.http.targets import RequestError, Target

ADDRESSES_MAX = 3
"""How many addresses of a host are tried."""

Resolve = Callable[[str, int], list[str]]
"""Host and port → its IP addresses. Raises OSError."""
Connect = Callable[[str, int, float], socket.socket]
"""IP address, port and timeout in seconds → a connected socket. Raises OSError."""


class UnreachableError(RequestError):
    """The host does not answer."""


class Transfer:
    """A running transfer, which `cut` ends wherever it waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_cut = False

    def watch(self, opened: socket.socket) -> None:
        """Remember a connection. Its copy stays usable after TLS has taken over the original."""
        with self._lock:
            self._release()
            self._socket = opened.dup()
            if self._is_cut:
                self._shutdown()

    def cut(self) -> None:
        """End the connection: reading from it and writing to it fail."""
        with self._lock:
            self._is_cut = True
            self._shutdown()

    def close(self) -> None:
        """Close the copy of the connection."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _shutdown(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class OpenConnection(http.client.HTTPConnection):
    """A connection over a socket that is open already. It knows neither proxies nor cookies nor redirects."""

    def __init__(self, target: Target, opened: socket.socket) -> None:
        super().__init__(target.host, target.port)
        self.sock = opened

    def connect(self) -> None:
        """Refuse to connect: the address would not be checked."""
        raise UnreachableError("the server closed the connection")


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, as the system resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def connect(address: str, port: int, timeout_seconds: float) -> socket.socket:
    """Return a socket that is connected to an IP address. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.settimeout(timeout_seconds)
        opened.connect((address, port))  # an address: nothing is resolved again
    except BaseException:
        opened.close()
        raise
    return opened


def open_checked(
    target: Target,
    transfer: Transfer,
    is_allowed: Callable[[str], bool],
    *,
    resolve: Resolve,
    connect: Connect,
    tls: ssl.SSLContext,
    connect_seconds: float,
) -> socket.socket:
    """Return a connection to an address of a host all of whose addresses are allowed.

    Raises:
        RequestError: one of them is not allowed.
        UnreachableError: the host has no address, or does not answer.
        OSError: TLS cannot be established.
    """
    try:
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"the host {target.host} has no address") from error
    refused = next((one for one in addresses if not is_allowed(one)), None)
    if refused is not None or not addresses:
        raise RequestError(f"the host {target.host} has the address {refused}, which is not public")
    problem: OSError | None = None
    for address in addresses[:ADDRESSES_MAX]:
        try:
            opened = connect(address, target.port, connect_seconds)
        except OSError as error:
            problem = error
            continue
        try:
            transfer.watch(opened)
            if target.scheme == "https":
                return tls.wrap_socket(opened, server_hostname=target.host)
        except BaseException:
            opened.close()
            raise
        return opened
    raise UnreachableError(f"the host {target.host} does not answer: {described(problem)}")


def described(error: Exception | None) -> str:
    """Return what went wrong with a connection, in at most 200 characters."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    text = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
