"""`/stats/assets/…`: style sheets and scripts of the statistics page."""

from starlette.requests import Request
from starlette.responses import Response

from services.stats.statistics.page import ASSETS
from shared.http.problems import Problem

ASSET_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


async def asset(request: Request) -> Response:
    """`GET /stats/assets/{name}`: a style sheet or script of the page. Its `v` changes with its content."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise Problem(404, "Not found.")
    headers = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
    return Response(ASSETS[name], media_type=ASSET_TYPES[name.rpartition(".")[2]], headers=headers)
