"""The HTTP baseline: a minimal ASGI application on the same server.

`python -m tests.bench.baseline_http PORT`
"""

import sys

import uvloop
from granian.constants import Interfaces
from starlette.types import Receive, Scope, Send

from shared.http.app import http_server

HEADERS = [(b"content-type", b"text/plain")]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Say hello."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"hello"})


if __name__ == "__main__":
    uvloop.run(http_server(hello, "127.0.0.1", int(sys.argv[1]), Interfaces.ASGINL).serve())
