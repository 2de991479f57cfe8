"""Requests of pages: who asks, in which language and for which site; templates, and the policies of pages.

A screen is a function from a `Page` to a response. What the API refuses, and what keeps a form from being sent, is
shown here: nothing that somebody has typed is lost.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.ingest.content.errors import InvalidContentError, field_fault
from services.ingest.content.normalization import without_unseen
from services.ingest.newsroom.api_client import ApiClient, ApiError, ApiUnavailableError, Transport
from services.ingest.newsroom.field_names import field_name
from services.ingest.newsroom.forms import FormTooLargeError, is_upload, read_form
from services.ingest.newsroom.sent_forms import SentForms
from services.ingest.newsroom.times import Moment, form_value, moment, parse_time
from shared.logs import log
from shared.sites import Site, Sites
from shared.translations import LANGUAGES, Message, nearest_language, pgettext

ROOT = "/ban-bien-tap"
DIGITS_MAX = 9
"""Of a number in a form: a version, or a place in a list."""
NO_RIGHT = pgettext("newsroom", "You have no right on this site.")
CONVERSIONS_MAX = 2
"""Bodies that are converted at once; the others wait."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
PAGE_HEADERS = {
    "content-security-policy": CSP,
    "cache-control": "no-store",
    "x-robots-tag": "noindex",
    "referrer-policy": "same-origin",
}
_FOLDER = files(__package__)
_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True)
class StaticFile:
    """A file that pages load. Its address changes with its content."""

    content: bytes
    media_type: str

    @property
    def checksum(self) -> str:
        """A part of its address."""
        return hashlib.sha256(self.content).hexdigest()[:16]


def read_static_files() -> dict[str, StaticFile]:
    """Return the files that pages load, by name."""
    found = {}
    for file in _FOLDER.joinpath("static").iterdir():
        ending = file.name.rpartition(".")[2]
        if ending in _TYPES:
            found[file.name] = StaticFile(file.read_bytes(), _TYPES[ending])
    return found


class Newsroom:
    """What all pages share.

    Args:
        transport: Sends requests to the editor API.
        sites: For their time zones.
        now: The clock.
    """

    def __init__(
        self, transport: Transport, sites: Sites, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.transport = transport
        self.sites = sites
        self.now = now
        self.static = read_static_files()
        self.sent_forms = SentForms()
        self._environments = {code: self._environment(code) for code in LANGUAGES}
        self._threads = ThreadPoolExecutor(CONVERSIONS_MAX, "newsroom")

    def _environment(self, language: str) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(str(_FOLDER.joinpath("templates"))),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        catalogue = LANGUAGES[language].catalogue
        environment.install_gettext_callables(  # type: ignore[attr-defined] # of the extension
            catalogue.gettext, catalogue.ngettext, newstyle=True, pgettext=catalogue.pgettext
        )
        environment.globals |= {"root": ROOT, "static": self.static_url, "lang": language}
        environment.filters |= {"data": json_data, "field_name": partial(field_name, language=language)}
        return environment

    async def convert(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run work that needs the processor, in a thread: a body of 20,000 words takes half a second."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def static_url(self, name: str) -> str:
        """Return the address of a file that pages load."""
        return f"{ROOT}/static/{name}?v={self.static[name].checksum}"

    def render(self, language: str, template: str, values: Mapping[str, Any]) -> str:
        """Return a page in a language."""
        return self._environments[language].get_template(template).render(values)


def whole_number(text: str, digits_max: int = DIGITS_MAX) -> int | None:
    """Return a number that a browser has sent, such as a version; None without one."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits_max else None


def json_data(value: object) -> Markup:
    """Return JSON for a `<script type="application/json">`: nothing in it can end the element."""
    text = msgspec.json.encode(value).decode()
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704


@dataclass
class Page:
    """A request for a page: its sender and what it asks for."""

    request: Request
    newsroom: Newsroom
    api: ApiClient
    me: dict[str, Any] | None = None
    """The caller, as `GET /api/me` shows it; None before the log-in."""
    form: FormData = field(default_factory=FormData)
    blocks: list[dict[str, Any]] | None = None
    """The body of an article or a static page, as a script has sent it."""
    form_number: str = field(default_factory=lambda: uuid4().hex)
    """What tells the forms of this page from those of any other one."""

    @property
    def language(self) -> str:
        """The language of the page: the person's, or that of the browser."""
        return self.api.language

    @property
    def csrf(self) -> str:
        """The token that a form repeats."""
        return str((self.me or {}).get("csrf_token") or "")

    @property
    def sent_csrf(self) -> str:
        """The token that the form has repeated."""
        return self.text("csrf")

    def text(self, name: str) -> str:
        """Return a field of the form, with line ends as the API has them; "" without it."""
        value = self.form.get(name)
        return without_unseen(value).replace("\r\n", "\n").strip() if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """Return a field of the form as a number; None without one."""
        return whole_number(self.text(name))

    def texts(self, name: str) -> list[str]:
        """Return all values of a field of the form."""
        return [one for one in self.form.getlist(name) if isinstance(one, str) and one]

    def query(self, name: str) -> str:
        """Return a value of the query; "" without it."""
        return self.request.query_params.get(name, "").strip()[:300]

    @cached_property
    def sites(self) -> list[dict[str, Any]]:
        """The sites on which the caller has any right."""
        return list((self.me or {}).get("sites") or ())

    @property
    def asked_site(self) -> str:
        """The site that the query or the form names; "" without one."""
        return self.query("site") or self.text("site")

    @cached_property
    def site(self) -> dict[str, Any] | None:
        """The site that the page is about: the one that is asked for, else the only one or the first one."""
        named = [one for one in self.sites if one["slug"] == self.asked_site]
        return next(iter(named or self.sites), None)

    @property
    def is_site_closed(self) -> bool:
        """Whether a site is asked for on which the caller has no right."""
        return bool(self.asked_site) and self.asked_site not in {one["slug"] for one in self.sites}

    @property
    def site_slug(self) -> str:
        """The name of the site that the page is about."""
        return "" if self.site is None else str(self.site["slug"])

    def configured(self, slug: str | None = None) -> Site | None:
        """Return the settings of a site; default: of the page's."""
        return self.newsroom.sites.get(slug or self.site_slug)

    def zone(self, slug: str | None = None) -> ZoneInfo:
        """Return the time zone of a site; default: of the page's."""
        site = self.configured(slug)
        return ZoneInfo("Asia/Ho_Chi_Minh") if site is None else ZoneInfo(site.timezone)

    def may(self, scope: str, section: str | None = None, site: str | None = None) -> bool:
        """Return whether the caller has a scope on the whole site, or in a section of it ("*": in any)."""
        slug = site or self.site_slug
        for one in self.sites:
            if one["slug"] != slug:
                continue
            if scope in one["scopes"]:
                return True
            return any(scope in part["scopes"] for part in one["sections"] if section in ("*", part["slug"]))
        return False

    def when(self, at: object, site: str | None = None) -> Moment | None:
        """Return a time of the API as pages show it."""
        parsed = parse_time(at)
        return None if parsed is None else moment(parsed, self.zone(site), self.newsroom.now(), self.language)

    def field_time(self, at: object, site: str | None = None) -> str:
        """Return a time of the API as a field of a form has it."""
        return form_value(at, self.zone(site))

    def link(self, path: str = "", /, **query: Any) -> str:
        """Return the address of a page, about the same site; values that are empty are left out."""
        asked = {"site": self.site_slug if len(self.sites) > 1 else "", **query}
        text = urlencode({name: value for name, value in asked.items() if value not in ("", None)}, doseq=True)
        return f"{ROOT}/{quote(path)}{'?' if text else ''}{text}"

    def gettext_of(self, message: Message) -> str:
        """Return a message in the language of the page."""
        return LANGUAGES[self.language].text(message)

    def gettext(self, text: str) -> str:
        """Return a text, which the code marks for translation, in the language of the page."""
        return LANGUAGES[self.language].catalogue.gettext(text)

    def said_of(self, error: InvalidContentError) -> dict[str, str]:
        """Return what is wrong with fields that the API has not seen, by field, in the language of the page."""
        return {one.field: field_fault(one, vietnamese=self.language == "vi") for one in error.errors}

    def render(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """Return a page."""
        given = {"page": self, "errors": {}, "problem": None, "notice": "", **values}
        html = self.newsroom.render(self.language, template, given)
        return Response(html, status, media_type="text/html; charset=utf-8")

    def redirect(self, path: str = "", /, **query: Any) -> Response:
        """Return a redirect to a page, after a form was processed."""
        return RedirectResponse(self.link(path, **query), 303)

    def kept(self, status: int, reason: str, detail: str = "") -> Response:
        """Return a page with everything that was typed, to be sent again."""
        typed = [(name, value) for name, value in self.form.multi_items() if isinstance(value, str) and name != "csrf"]
        return self.render("kept.html", status, reason=reason, detail=detail, typed=typed)


Screen = Callable[[Page], Awaitable[Response]]


def screen(path: str, work: Screen, methods: tuple[str, ...] = ("GET",), *, is_public: bool = False) -> Route:
    """Return the route of a screen.

    Args:
        path: Below ROOT.
        work: Makes the response.
        methods: That it serves.
        is_public: It needs no log-in.
    """

    async def endpoint(request: Request) -> Response:
        return await _page_of(request, work, is_public=is_public)

    return Route(f"/{path}", endpoint, methods=list(methods))


async def show_missing(request: Request, error: Exception) -> Response:
    """Show that there is no page at an address, or none that can be opened, as one after a form was sent."""
    assert isinstance(error, HTTPException)
    status, headers = error.status_code, error.headers or {}

    async def missing(page: Page) -> Response:
        response = page.render("message.html", status, reason="not_found", detail="")
        response.headers.update(headers)
        return response

    return await _page_of(request, missing, is_public=False)


async def _page_of(request: Request, work: Screen, *, is_public: bool) -> Response:
    newsroom: Newsroom = request.app.state.newsroom
    api = ApiClient(newsroom.transport, request, _accepted_language(request))
    page = Page(request, newsroom, api)
    try:
        response = await _respond(page, work, is_public=is_public)
    finally:
        await page.form.close()
    for cookie in api.cookies:
        response.headers.append("set-cookie", cookie)
    for name, value in PAGE_HEADERS.items():
        response.headers[name] = value
    return response


def _accepted_language(request: Request) -> str:
    first = request.headers.get("accept-language", "")[:200].partition(",")[0].partition(";")[0].strip()
    return nearest_language(first) if first else "vi"


async def _respond(page: Page, work: Screen, *, is_public: bool) -> Response:
    try:
        is_form = page.request.method == "POST" and not is_upload(page.request)
        if is_form:
            page.form = await read_form(page.request, is_public=is_public)
        if not is_public:
            page.me = await page.api.get("/me")
            language = page.me.get("language")
            page.api.language = nearest_language(language) if language else page.language
        if page.request.method == "POST" and not is_form:  # files: nothing of a stranger is stored on disk
            page.form = await read_form(page.request, is_public=is_public)
        if not is_public and page.is_site_closed:
            return _closed(page)
        if is_form and not is_public:
            return await page.newsroom.sent_forms.answer(page, work)
        return await work(page)
    except ApiUnavailableError as error:
        log.warning("the editor API does not answer", reason=str(error))
        return page.kept(503, "unavailable")
    except ApiError as error:
        return _refused(page, error)
    except FormTooLargeError:
        return page.render("message.html", 413, reason="too_large", detail="")


def _closed(page: Page) -> Response:
    """Return what somebody sees who names a site without a right on it: never another site instead."""
    if page.request.method == "POST":
        return page.kept(404, "refused", page.gettext_of(NO_RIGHT))
    return page.render("message.html", 404, reason="not_found", detail="")


def _refused(page: Page, error: ApiError) -> Response:
    """Return what somebody sees whose request the API has refused, unless its screen shows that."""
    is_form = page.request.method == "POST"
    if error.status == 401 and not is_form:
        url = page.request.url
        following = url.path.removeprefix(ROOT).lstrip("/") + (f"?{url.query}" if url.query else "")
        target = f"{ROOT}/dang-nhap" + (f"?{urlencode({'next': following})}" if following else "")
        return RedirectResponse(target, 303)
    if error.status == 401:
        return page.kept(401, "session_ended", str(error))
    if error.code == "wrong_csrf_token":
        return page.kept(403, "form_expired")
    if is_form and error.status >= 409:
        return page.kept(error.status, "refused", str(error))
    reason = {403: "forbidden", 404: "not_found"}.get(error.status, "refused")
    return page.render("message.html", error.status, reason=reason, detail=str(error))


async def static_file(request: Request) -> Response:
    """Serve a file that pages load."""
    newsroom: Newsroom = request.app.state.newsroom
    file = newsroom.static.get(request.path_params["name"])
    if file is None:
        return Response(status_code=404)
    is_exact = request.query_params.get("v") == file.checksum
    caching = "public, max-age=31536000, immutable" if is_exact else "no-cache"
    headers = {"cache-control": caching, "etag": f'"{file.checksum}"'}
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


STATIC_ROUTE = Route("/static/{name}", static_file)
