"""`/api/docs`: the documentation of the interface, from this host alone and under a strict policy."""

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.http.security_headers import document_csp

FILES = "/api/static-offline-docs"
"""Where `FastAPIOffline` serves the scripts and styles of the page."""


def add_page(api: FastAPI) -> None:
    """Add the page to the API. It refers to paths below `/api`, whatever the request says."""
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
