"""Close the gateway's connections before the server closes them."""

from collections.abc import Iterable
from typing import Any

from shared.http.rsgi import RsgiProtocol

CONNECTION_CLOSE = ("connection", "close")


class ClosingProtocol:
    """An RSGI protocol, as far as this project uses it, whose responses announce that their connection ends.

    A gateway that sends a POST on an idle connection at the moment when a stopping server closes it gets no response
    and may not repeat the request: a 502 for the visitor. A connection that was announced as closing is not used again.
    """

    def __init__(self, protocol: RsgiProtocol) -> None:
        self._protocol = protocol
        self.received = getattr(protocol, "received", None)
        """What a direct handler has received of the request already: see `shared.http.direct.ReceivedProtocol`."""

    def __aiter__(self) -> Any:
        return self._protocol.__aiter__()

    def __call__(self) -> Any:
        """Return the request's whole body when it is awaited: the server's own future, which direct handlers need."""
        return self._protocol()

    async def client_disconnect(self) -> None:
        """Wait until the client has left."""
        await self._protocol.client_disconnect()

    def response_bytes(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Send a response with a body."""
        self._protocol.response_bytes(status, [*headers, CONNECTION_CLOSE], body)

    def response_stream(self, status: int, headers: Iterable[tuple[str, str]]) -> Any:
        """Begin a response in pieces, and return its transport."""
        return self._protocol.response_stream(status, [*headers, CONNECTION_CLOSE])
