"""`/e/own-traffic`: the page on which staff take their browser out of the numbers of people, and back.

Opening it changes nothing, with a link or without: previews of links, prefetches and embedded images have no effect.
The button of the page sends what was chosen; the browser says that it is a page of the portal that asks.
"""

import asyncio
import time
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from services.ingest.auth.cookies import AskedOrigin, delete_cookies, set_cookie
from services.ingest.collector.own_traffic import COOKIE, Mark, cookie_end, cookie_mark, is_at_own_address, sign, verify
from services.ingest.collector.salts import SaltStore
from shared.http.client_address import Network, client_address
from shared.origins import is_loopback, sent_origin
from shared.sites import Site, Sites

PATH = "/e/own-traffic"
FORM_BYTES_MAX = 2_048
FORM_SECONDS = 10.0
HEADERS = {
    "cache-control": "private, no-store",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "referrer-policy": "same-origin",  # without one, the button's request would not say where it comes from
}


class OwnTrafficPage:
    """The handlers of the page."""

    def __init__(self, sites: Sites, salts: SaltStore, trusted_proxies: tuple[Network, ...]) -> None:
        self._sites = sites
        self._salts = salts
        self._trusted_proxies = trusted_proxies

    @property
    def routes(self) -> list[Route]:
        """Its routes."""
        return [
            Route(PATH, self.show, methods=["GET", "HEAD"]),
            Route(PATH, self.choose, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """`GET /e/own-traffic?link=…&lang=vi|en|…`: what this browser is, and the button that changes it."""
        link = request.query_params.get("link")
        if link is None:
            return await self._page(request, None)
        mark, refusal = await self._read_link(link)
        return await self._page(request, mark, link=None if refusal else link, refusal=refusal)

    async def choose(self, request: Request) -> Response:
        """`POST /e/own-traffic` with `action=own` and `link`, or `action=count`: set or delete the cookie."""
        form = await _read_form(request)
        origin = sent_origin(request.headers.get("origin", ""))
        if origin is None or request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return await self._page(request, None, refusal="not_of_this_page")
        response = RedirectResponse("own-traffic", 303, HEADERS)  # relative: a website's proxy may add a prefix
        if form.get("action") == "count":
            delete_cookies(response, COOKIE, is_loopback=is_loopback(origin))
            return response
        link = form.get("link", "")
        mark, refusal = await self._read_link(link)
        if refusal is None and not self._is_of(mark, origin, request):
            refusal = "link_elsewhere"
        if refusal is None and not (origin.startswith("https://") or is_loopback(origin)):
            refusal = "https_required"
        if mark is None or refusal is not None:
            return await self._page(request, mark, refusal=refusal)
        now = int(time.time())
        until = cookie_end(now)
        value = sign(self._salts.own_traffic_key, "cookie", Mark(mark.site, until))
        set_cookie(response, AskedOrigin(origin), COOKIE, value, until - now)
        return response

    def _is_of(self, mark: Mark | None, origin: str, request: Request) -> bool:
        site = self._sites.get(mark.site) if mark is not None else None
        return site is not None and self._sites.allows(site, origin, request.headers.get("host", ""))

    async def _read_link(self, link: str) -> tuple[Mark | None, str | None]:
        """Return what a link says, or why it is refused."""
        mark = verify(self._salts.own_traffic_key, "link", link)
        if mark is not None and mark.site not in self._sites:
            await self._sites.refresh()
        if mark is None or mark.site not in self._sites:
            return None, "link_invalid"
        return mark, "link_expired" if time.time() >= mark.until else None

    async def _page(
        self, request: Request, mark: Mark | None, *, link: str | None = None, refusal: str | None = None
    ) -> Response:
        from services.ingest.collector import own_traffic_html  # late: it takes memory, and few people open it

        host = request.headers.get("host", "")
        cookie = "; ".join(request.headers.getlist("cookie"))
        own = cookie_mark(cookie, host, self._salts.own_traffic_key, int(time.time()))
        named = mark or own
        site = (self._sites.get(named.site) if named is not None else None) or self._sites.by_host(host)
        until = own.until if own is not None and own.site == site.slug else None
        state = own_traffic_html.OwnTrafficState(until, self._is_own_address(request, site), link, refusal)
        language = request.query_params.get("lang")
        html = await asyncio.to_thread(own_traffic_html.render_own_traffic, site, state, language)
        policy = (
            f"default-src 'none'; style-src 'sha256-{own_traffic_html.STYLE_HASH}'; img-src data:; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        return HTMLResponse(html, 403 if refusal else 200, {**HEADERS, "content-security-policy": policy})

    def _is_own_address(self, request: Request, site: Site) -> bool:
        peer = request.client.host if request.client is not None else ""
        found = client_address(peer, request.headers.getlist("x-forwarded-for"), self._trusted_proxies)
        return is_at_own_address(site, found, self._trusted_proxies)


async def _read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form, each once; none of what is no form, too large or too slow."""
    body = b""
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > FORM_BYTES_MAX:
                    return {}
        fields = parse_qs(body.decode("ascii"), max_num_fields=8)
    except (TimeoutError, ClientDisconnect, ValueError):
        return {}
    return {name: values[0] for name, values in fields.items() if len(values) == 1}
