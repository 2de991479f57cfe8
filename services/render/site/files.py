"""`/tep/ID/NAME`: the documents that public articles offer, as downloads.

A file is served while an article that is public now offers it: the file of a draft, and of an article that was
withdrawn, is not there. The path reads no cookie and sets none, and its responses can neither be shown nor run.
"""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import obstore
from obstore.exceptions import NotFoundError
from obstore.store import ObjectStore
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.render.site.page_reader import read_snapshot
from services.render.site.portal import Pools
from services.render.site.representations import CROSS_ORIGIN_HEADERS, problem, security_headers
from shared.articles import FILE_PREFIX
from shared.http.downloads import attachment, with_extension
from shared.http.fair_limit import FairLimit
from shared.http.negotiation import etag_matches
from shared.logs import log
from shared.object_store import FILES, STORE_ERRORS
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.sites import Sites

FILE_ID = re.compile(r"^[0-9a-f]{32}\Z")
RANGE = re.compile(r"^bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*\Z", re.ASCII | re.IGNORECASE)
CACHE_DAY = "public, max-age=86400, immutable"
"""The bytes of a URL never change, but the article that offers them may be withdrawn: no cache has them for longer."""
NO_FILE = "No such file."
CHUNK_BYTES = 512 * 1024
READS_RUNNING_MAX = 16
"""Downloads at once, each with a few chunks in memory. The callers take turns."""
READS_OF_ADDRESS_MAX = 64
READS_MAX = 512
READ_WAIT_SECONDS_MAX = 5.0


class Files:
    """Serves the documents of public articles.

    Args:
        pools: The portal's pools.
        sites: The sites, of which the host of a request says which one is meant.
        store: The media store.
    """

    def __init__(self, pools: Pools, sites: Sites, store: ObjectStore) -> None:
        self._pools = pools
        self._sites = sites
        self._store = store
        self._reads = FairLimit(
            "files",
            running_max=READS_RUNNING_MAX,
            in_progress_max=READS_MAX,
            of_caller_max=READS_OF_ADDRESS_MAX,
            wait_seconds_max=READ_WAIT_SECONDS_MAX,
        )

    async def file(self, request: Request) -> Response:
        """`GET /tep/ID/NAME`."""
        file_id = request.path_params["file_id"]
        if not FILE_ID.match(file_id):
            raise problem(404, NO_FILE)
        block = await self._offered(request, file_id)
        path = f"{FILE_PREFIX}{file_id}/{request.path_params['name']}"
        if block["url"] != path:
            moved = {**security_headers(), "cache-control": "no-cache", "location": quote(block["url"])}
            return Response(None, 301, moved)
        return await self._respond(request, file_id, block)

    async def _offered(self, request: Request, file_id: str) -> dict[str, Any]:
        """Return the block of a public article or page that offers a file: the one of the requested name, if any."""
        site = self._sites.by_host(request.headers.get("host", ""))
        try:
            _, rows, _ = await read_snapshot(
                self._pools.pages,
                site,
                lambda reader: reader.connection.fetch(reader.sql["offered_file"], site.slug, file_id),
            )
        except POSTGRES_UNAVAILABLE as error:
            raise problem(503, "The database is unavailable.", retry_after="5") from error
        if not rows:
            raise problem(404, NO_FILE)  # not cacheable: a page may offer it soon
        blocks = [dict(row) for row in rows]
        named = [one for one in blocks if one["url"].endswith(f"/{request.path_params['name']}")]
        return (named or blocks)[0]

    async def _respond(self, request: Request, file_id: str, block: dict[str, Any]) -> Response:
        headers = {
            **security_headers(),
            **CROSS_ORIGIN_HEADERS,
            **attachment(_visible_name(block)),
            "cache-control": CACHE_DAY,
            "etag": f'"{file_id}"',
            "accept-ranges": "bytes",
        }
        if not _is_wanted(request.headers.get("if-match"), headers["etag"]):
            raise problem(412, "The file is another one than the request names.")
        if etag_matches(headers["etag"], request.headers.get("if-none-match", "")):
            return Response(None, 304, headers)
        try:
            async with self._reads.admit():
                size = int((await obstore.head_async(self._store, FILES + file_id))["size"])
                asked = _range(request, size, headers["etag"])
                if asked is None:
                    raise problem(416, f"The file has {size:,} bytes.", content_range=f"bytes */{size}")
                begin, end = asked
                status = 200
                if end - begin < size:
                    status, headers["content-range"] = 206, f"bytes {begin}-{end - 1}/{size}"
                headers["content-length"] = str(end - begin)
                kind = block["media_type"] or "application/octet-stream"
                if request.method == "HEAD" or begin == end:
                    return Response(None, status, headers, kind)
                first = await self._chunk(file_id, begin, end)
        except (FileNotFoundError, NotFoundError) as error:
            raise problem(404, NO_FILE) from error
        except STORE_ERRORS as error:
            log.warning("The media store is unavailable", reason=repr(error)[:500])
            raise problem(503, "The media store is unavailable.", retry_after="5") from error
        return StreamingResponse(self._chunks(file_id, first, begin, end), status, headers, kind)

    async def _chunk(self, file_id: str, begin: int, end: int) -> bytes:
        part = await obstore.get_range_async(
            self._store, FILES + file_id, start=begin, end=min(begin + CHUNK_BYTES, end)
        )
        return bytes(part)

    async def _chunks(self, file_id: str, first: bytes, begin: int, end: int) -> AsyncIterator[bytes]:
        """Yield the rest of a file, a chunk for each turn: a slow client keeps no other one waiting."""
        yield first
        position = begin + len(first)
        while position < end:
            async with self._reads.admit():
                chunk = await self._chunk(file_id, position, end)
            yield chunk
            position += len(chunk)


def _visible_name(block: dict[str, Any]) -> str:
    """Return the name that a download gets: as the article calls it, with the extension of its type."""
    extension = block["url"].rpartition(".")[2]
    return with_extension(" ".join(re.sub(r'[/\\:*?"<>|\x00-\x1f\x7f]', " ", block["name"]).split()), extension)


def _is_wanted(if_match: str | None, etag: str) -> bool:
    """Return whether If-Match has the file: the strong comparison of RFC 9110, 13.1.1."""
    return if_match is None or if_match.strip() in ("", "*") or etag in (one.strip() for one in if_match.split(","))


def _range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """Return the first byte that is asked for, and the one after the last; None if there is no such part.

    Several ranges at once, one that ends before it begins, and one for another version of the file get the whole file;
    only GET has ranges (RFC 9110, 14.1.1 and 14.2).
    """
    if request.method == "HEAD":
        return 0, size
    found = RANGE.match(request.headers.get("range", ""))
    condition = request.headers.get("if-range")
    if found is None or (not found[1] and not found[2]) or (condition is not None and condition != etag):
        return 0, size
    if found[1] and found[2] and int(found[2]) < int(found[1]):
        return 0, size
    if not found[1]:
        begin, end = max(0, size - int(found[2])), size
    else:
        begin, end = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
    return (begin, end) if begin < end else None
