"""What is left of a request's body when its response is ready: read and dropped, within bounds.

The connection ends with a response to a body that was not read. A proxy that is still writing it may then lose the
response, and say 502 instead.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from shared.http.rsgi import RequestHead, RsgiClosed

DRAINED_BYTES_MAX = 1024 * 1024
DRAINED_SECONDS = 2.0


async def drain(request: RequestHead, chunks: AsyncIterator[bytes]) -> None:
    """Read and drop the rest of a body, up to DRAINED_BYTES_MAX and for DRAINED_SECONDS; not a larger one that says so.

    Args:
        request: Whose body it is.
        chunks: What was not read yet.
    """
    if int(request.headers.get("content-length") or 0) > DRAINED_BYTES_MAX:
        return
    left = DRAINED_BYTES_MAX
    with contextlib.suppress(TimeoutError, StopAsyncIteration, RsgiClosed):
        async with asyncio.timeout(DRAINED_SECONDS):
            while left >= 0:
                left -= len(await anext(chunks))
