"""`GET /t.js`: the script that a page includes to be counted."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response


async def tracker(request: Request) -> Response:
    """Answer with the tracker."""
    return Response(
        files(__package__).joinpath("t.js").read_bytes(),
        media_type="text/javascript; charset=utf-8",
        headers={"cache-control": "public, max-age=3600", "access-control-allow-origin": "*"},
    )
