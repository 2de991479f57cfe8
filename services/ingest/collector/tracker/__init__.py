"""`GET /t.js`: the tracker, minified by `make tracker` and compressed once at process start."""

import gzip
import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.http.negotiation import etag_matches, takes_gzip

_PLAIN = files(__package__).joinpath("t.min.js").read_bytes()
_BODIES = {"identity": _PLAIN, "gzip": gzip.compress(_PLAIN, 9, mtime=0)}
# An ETag per coding. No suffix such as "TAG-gzip": the gateway would take it for its own and strip it.
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
