"""`/media/…`: the public images of the media store."""

import re

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore
from starlette.requests import Request
from starlette.responses import Response

from services.render.site.representations import CACHE_IMMUTABLE, CROSS_ORIGIN_HEADERS, problem, security_headers
from shared.http.fair_limit import FairLimit
from shared.http.negotiation import etag_matches
from shared.logs import log
from shared.object_store import NAME_PATTERN, PUBLIC, STORE_ERRORS, TYPES

IMAGE_NAME = re.compile(NAME_PATTERN)
IMAGE_HEADERS = {
    **security_headers(),
    **CROSS_ORIGIN_HEADERS,
    "cache-control": CACHE_IMMUTABLE,
    "content-security-policy": "default-src 'none'; sandbox",
}
NO_IMAGE = "No such image."
READS_RUNNING_MAX = 16
"""Reads of the media store at once, each with one image in memory. The callers take turns."""
READS_OF_ADDRESS_MAX = 256
READS_MAX = 1_024
READ_WAIT_SECONDS_MAX = 5.0


class Images:
    """Serves the public images of the media store. A name never changes its content."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._reads = FairLimit(
            "images",
            running_max=READS_RUNNING_MAX,
            in_progress_max=READS_MAX,
            of_caller_max=READS_OF_ADDRESS_MAX,
            wait_seconds_max=READ_WAIT_SECONDS_MAX,
        )

    async def image(self, request: Request) -> Response:
        """`GET /media/NAME`."""
        name = request.path_params["name"]
        if not IMAGE_NAME.match(name):
            raise problem(404, NO_IMAGE)
        headers = {**IMAGE_HEADERS, "etag": f'"{name}"'}
        if etag_matches(headers["etag"], request.headers.get("if-none-match", "")):
            return Response(None, 304, headers)
        try:
            async with self._reads.admit():
                content = bytes(await (await obstore.get_async(self._store, PUBLIC + name)).bytes_async())
        except (FileNotFoundError, NotFoundError) as error:
            raise problem(404, NO_IMAGE) from error  # not cacheable: the image may be uploaded soon
        except STORE_ERRORS as error:
            log.warning("The media store is unavailable", reason=repr(error)[:500])
            raise problem(503, "The media store is unavailable.", retry_after="5") from error
        return Response(content, media_type=TYPES[name.rpartition(".")[2]], headers=headers)
