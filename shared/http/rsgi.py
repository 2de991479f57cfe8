"""RSGI, granian's own protocol: its types, and the error after a client has left.

Granian publishes the type of a request only. The others are in its extension module, which is private: hence the pin of
its version in `pyproject.toml`, and this one place that imports them.
"""

from collections.abc import AsyncIterator
from typing import Protocol

from granian._granian import RSGIHeaders as RsgiHeaders
from granian._granian import RSGIHTTPProtocol as RsgiProtocol
from granian._granian import RSGIProtocolClosed as RsgiClosed
from granian.rsgi import Scope as RsgiRequest

__all__ = ["RequestHead", "RsgiClosed", "RsgiHeaders", "RsgiProtocol", "RsgiRequest", "chunks_of"]


class RequestHead(Protocol):
    """What of a request says who sent it."""

    @property
    def client(self) -> str:
        """Address and port of the connection's other end."""
        ...

    @property
    def headers(self) -> RsgiHeaders:
        """By name; values that are not ASCII are missing."""
        ...


def chunks_of(protocol: RsgiProtocol) -> AsyncIterator[bytes]:
    """Return the body of a request as it arrives."""
    chunks: AsyncIterator[bytes] = protocol.__aiter__()
    return chunks
