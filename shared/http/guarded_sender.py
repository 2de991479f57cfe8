"""Sends one POST request to a receiver that nobody trusts: within bounds, and to public addresses only.

A host is resolved once, and the connection goes to the address that was checked. Redirects are not followed, and
nothing of a response is kept but its status.
"""

import asyncio
import contextlib
import http.client
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from shared.http.checked_connection import (
    Connect,
    OpenConnection,
    Resolve,
    Transfer,
    UnreachableError,
    connect,
    open_checked,
    resolve,
)
from shared.http.client_address import Network
from shared.http.targets import DEFAULT_PORTS, RequestError, Target, is_public, parse_target

SECONDS_MAX = 10.0
CONNECT_SECONDS_MAX = 5.0
THREADS_MAX = 16
PORT_MIN = 1_024
"""Of public receivers, besides that of the scheme: lower ports are those of other services."""


class Sender:
    """Sends requests, each in a thread.

    Args:
        networks: Networks that an operator allows although they are not public.
        seconds_max: For a request, from resolving the host to the status.
        resolve: Resolves a host.
        connect: Connects to a checked address.
        tls: The certificate authorities; default: those of the system.
        schemes: Those of public receivers: `http` only for what is no secret.
    """

    def __init__(
        self,
        networks: Sequence[Network] = (),
        seconds_max: float = SECONDS_MAX,
        *,
        resolve: Resolve = resolve,
        connect: Connect = connect,
        tls: ssl.SSLContext | None = None,
        schemes: Sequence[str] = ("https",),
    ) -> None:
        self._networks = networks
        self._schemes = schemes
        self._seconds_max = seconds_max
        self._resolve = resolve
        self._connect = connect
        self._tls = tls or ssl.create_default_context()
        self._threads = ThreadPoolExecutor(THREADS_MAX, "post")

    def check_url(self, url: str) -> None:
        """Check a URL before it is stored; its addresses are checked with each request.

        Raises:
            RequestError: it is not usable, with the reason as the end of a sentence.
        """
        target = parse_target(url)
        if not self._networks:
            self._check_public_target(target)

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Send a POST request and return the status of the response.

        Raises:
            RequestError: the receiver may not be called, or did not answer; with the reason.
        """
        transfer = Transfer()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._threads, self._send, url, headers, body, transfer)
        try:
            done, _ = await asyncio.wait([work], timeout=self._seconds_max)
        finally:
            transfer.cut()
            work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        if not done:
            raise UnreachableError(f"it took more than {self._seconds_max:g} s")
        return work.result()

    def _send(self, url: str, headers: dict[str, str], body: bytes, transfer: Transfer) -> int:
        try:
            target = parse_target(url)
            opened = open_checked(
                target,
                transfer,
                self._is_allowed(target),
                resolve=self._resolve,
                connect=self._connect,
                tls=self._tls,
                connect_seconds=min(CONNECT_SECONDS_MAX, self._seconds_max),
            )
            with contextlib.closing(OpenConnection(target, opened)) as connection:
                connection.request("POST", target.path, body, {"Host": target.host_header, **headers})
                with contextlib.closing(connection.getresponse()) as response:
                    return response.status
        except TimeoutError as error:
            raise UnreachableError("the server did not answer in time") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise UnreachableError(f"the transfer failed: {type(error).__name__}") from error
        finally:
            transfer.close()

    def _is_allowed(self, target: Target) -> Callable[[str], bool]:
        def check(address: str) -> bool:
            with contextlib.suppress(ValueError):
                ip = ip_address(address)
                if any(ip.version == network.version and ip in network for network in self._networks):
                    return True
            if not is_public(address):
                return False
            self._check_public_target(target)
            return True

        return check

    def _check_public_target(self, target: Target) -> None:
        if target.scheme not in self._schemes:
            raise RequestError(f"its URL does not start with {' or '.join(self._schemes)}")
        if target.port != DEFAULT_PORTS[target.scheme] and target.port < PORT_MIN:
            raise RequestError(f"the port {target.port} is not allowed")
