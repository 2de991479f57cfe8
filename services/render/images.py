"""`/media/…`: the public copies of the media store."""

import re

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore
from starlette.requests import Request
from starlette.responses import Response

from shared.encodings import is_known
from shared.logs import log
from shared.media import NAME_PATTERN, PUBLIC, STORE_AWAY, TYPES
from shared.problems import Problem

IMAGE_NAME = re.compile(NAME_PATTERN)
IMAGE_HEADERS = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}
NOT_KEPT = {"cache-control": "no-store"}
"""An image that is not there yet may be there soon."""


class Images:
    """Serves the public copies of the media store. A name stands for one content for ever."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def image(self, request: Request) -> Response:
        """`GET /media/NAME`."""
        name = request.path_params["name"]
        if not IMAGE_NAME.match(name):
            raise Problem(404, "There is no image by that name.", headers=NOT_KEPT)
        headers = {**IMAGE_HEADERS, "etag": f'"{name}"'}
        if is_known(headers["etag"], request.headers.get("if-none-match", "")):
            return Response(None, 304, headers)
        try:
            content = bytes(await (await obstore.get_async(self._store, PUBLIC + name)).bytes_async())
        except (FileNotFoundError, NotFoundError) as error:
            raise Problem(404, "There is no image by that name.", headers=NOT_KEPT) from error
        except STORE_AWAY as error:
            log.warning("The media store does not answer", reason=repr(error)[:500])
            detail = "The media store does not answer now."
            raise Problem(503, detail, headers={**NOT_KEPT, "retry-after": "5"}) from error
        return Response(content, media_type=TYPES[name.rpartition(".")[2]], headers=headers)
