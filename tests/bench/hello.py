"""The yardstick of HTTP: a bare ASGI application under the same server, which answers "hello" to everything.

`python -m tests.bench.hello PORT`
"""

import sys
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Answer any request."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello"})


if __name__ == "__main__":
    server = Server(
        hello, "127.0.0.1", int(sys.argv[1]), interface=Interfaces.ASGINL, websockets=False, log_enabled=False
    )
    uvloop.run(server.serve())
