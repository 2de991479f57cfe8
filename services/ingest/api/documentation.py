"""`/api/docs` and `/api/openapi.json`: the documentation of the interface, from this host, under a strict policy.

Both are made once, because anybody may request them.
"""

import msgspec
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.http.security_headers import document_csp

FILES = "/api/static-offline-docs"
"""Where `FastAPIOffline` serves the scripts and styles of the page."""


def add_documentation(api: FastAPI) -> None:
    """Add the routes to the API, in place of the framework's. The page refers to paths below `/api`."""
    document: list[bytes] = []

    async def openapi(request: Request) -> Response:
        if not document:
            document.append(msgspec.json.encode(api.openapi()))
        return Response(document[0], media_type="application/json")

    api.router.routes[:] = [one for one in api.router.routes if getattr(one, "path", "") != api.openapi_url]
    assert api.openapi_url is not None
    api.add_route(api.openapi_url, openapi, include_in_schema=False)
    html = bytes(
        get_swagger_ui_html(
            openapi_url="/api/openapi.json",
            title=api.title,
            swagger_js_url=f"{FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{FILES}/swagger-ui.css",
            swagger_favicon_url=f"{FILES}/favicon.png",
        ).body
    ).decode()
    policy = document_csp(html)

    async def page(request: Request) -> Response:
        return HTMLResponse(html, headers={"content-security-policy": policy})

    api.add_route("/docs", page, include_in_schema=False)
