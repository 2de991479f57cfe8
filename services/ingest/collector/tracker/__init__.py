"""`GET /t.js`: the tracker, as `make tracker` has made it of t.js, and compressed once when the process starts."""

import gzip
import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.http.negotiation import etag_matches, takes_gzip

_PLAIN = files(__package__).joinpath("t.min.js").read_bytes()
_BODIES = {"identity": _PLAIN, "gzip": gzip.compress(_PLAIN, 9, mtime=0)}
# A tag for each form of the bytes. Not "TAG-gzip": the gateway takes such an ending for its own and cuts it off.
_TAGS = {coding: f'"{hashlib.sha256(body).hexdigest()[:16]}"' for coding, body in _BODIES.items()}
_HEADERS = {
    "cache-control": "public, max-age=3600, stale-while-revalidate=86400",
    "vary": "accept-encoding",
    "access-control-allow-origin": "*",
}


async def _script(request: Request) -> Response:
    coding = "gzip" if takes_gzip(request.headers.get("accept-encoding", "")) else "identity"
    headers = {**_HEADERS, "etag": _TAGS[coding]}
    if etag_matches(_TAGS[coding], request.headers.get("if-none-match", "")):
        return Response(None, 304, headers)
    if coding == "gzip":
        headers["content-encoding"] = coding
    return Response(_BODIES[coding], media_type="text/javascript; charset=utf-8", headers=headers)


TRACKER = Route("/t.js", _script)
