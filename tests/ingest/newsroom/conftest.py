"""The newsroom's pages in this process, over the editor API in this process."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest

from services.ingest.newsroom import steps
from services.ingest.newsroom.api_client import ApiResponse, Body, Headers
from services.ingest.newsroom.pages import ROOT, Newsroom
from services.ingest.roles.newsroom import newsroom_app
from shared.http.fair_limit import CALLER
from tests.ingest.conftest import HTTPS, Browser, EditorApi, call_asgi
from tests.ingest.conftest import Newsroom as People


class FormReader(HTMLParser):
    """Reads the forms of a page: action, fields with their values, and the buttons."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self._select: str | None = None
        self._textarea: str | None = None
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value if value is not None else "" for name, value in attrs}
        if tag == "form":
            self.forms.append(
                {"action": given.get("action", ""), "id": given.get("id", ""), "fields": [], "buttons": []}
            )
        if not self.forms:
            return
        form = self.forms[-1]
        name = given.get("name", "")
        if tag == "input" and name and given.get("type") != "file":
            is_choice = given.get("type") in ("checkbox", "radio")
            if not is_choice or "checked" in given:
                form["fields"].append((name, given.get("value", "on" if is_choice else "")))
        elif tag == "button" and name:
            form["buttons"].append((name, given.get("value", "")))
        elif tag == "select":
            self._select, self._first = name, True
        elif tag == "option" and self._select:
            if "selected" in given:
                form["fields"] = [one for one in form["fields"] if one != (self._select, self._default)]
                form["fields"].append((self._select, given.get("value", "")))
                self._first = False
            elif self._first:
                self._default = given.get("value", "")
                form["fields"].append((self._select, self._default))
                self._first = False
        elif tag == "textarea":
            self._textarea, self._text = name, ""

    _first = False
    _default = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        if tag == "textarea" and self._textarea is not None:
            self.forms[-1]["fields"].append((self._textarea, self._text.removeprefix("\n")))
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self._text += data


@dataclass
class Shown:
    """A page that was opened."""

    status: int
    headers: dict[str, str]
    html: str
    location: str = ""

    @property
    def text(self) -> str:
        """What a person reads."""
        return " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", self.html, flags=re.DOTALL).split())

    def form(self, part: str = "", /) -> dict[str, Any]:
        """Return the form whose id or action has a part, or the only one with a csrf field."""
        forms = FormReader(self.html).forms
        named = [one for one in forms if part and (part == one["id"] or part in one["action"])]
        return (named or [one for one in forms if "csrf" in dict(one["fields"]) and "dang-xuat" not in one["action"]])[
            0
        ]


@dataclass
class Visitor:
    """A browser without scripts."""

    pages: "Pages"
    browser: Browser
    at: str = ""
    last: Shown = field(default_factory=lambda: Shown(0, {}, ""))

    async def open(self, path: str, **query: Any) -> Shown:
        """Open a page below ROOT, or at a path, and follow redirects to it."""
        target = path if path.startswith("/") else f"{ROOT}/{path}"
        if query:
            target += f"?{urlencode(query, doseq=True)}"
        return await self._follow(await self.pages.send(self.browser, "GET", target, b"", ()), target)

    async def submit(self, form: dict[str, Any] | str = "", /, **fields: Any) -> Shown:
        """Send a form of the last page with other values, and follow the redirect."""
        found = self.last.form(form) if isinstance(form, str) else form
        values = [(name, value) for name, value in found["fields"] if name not in fields]
        for name, value in fields.items():
            values += [(name, one) for one in (value if isinstance(value, list) else [value])]
        target = found["action"] or self.at
        content = urlencode(values).encode()
        headers = [("content-type", "application/x-www-form-urlencoded")]
        return await self._follow(await self.pages.send(self.browser, "POST", target, content, headers), target)

    async def _follow(self, shown: Shown, target: str) -> Shown:
        for _ in range(5):
            if shown.status not in (303, 307, 308):
                break
            target = shown.location
            shown = await self.pages.send(self.browser, "GET", target, b"", ())
        self.at, self.last = target, shown
        return shown


class Pages:
    """The pages over an editor API."""

    def __init__(self, api: EditorApi, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.api = api
        self.is_away = False
        self.calls: list[tuple[str, str]] = []
        self.app = newsroom_app(Newsroom(self._transport, api.context.sites, now))

    async def _transport(self, method: str, target: str, headers: Headers, body: Body) -> ApiResponse:
        from services.ingest.newsroom.api_client import ApiUnavailableError

        self.calls.append((method, target))
        if self.is_away:
            raise ApiUnavailableError("test")
        content = body if isinstance(body, bytes) else body.read()
        for _, value in headers:
            assert not set("\r\n") & set(value.encode("latin-1").decode("latin-1")), "the real transport refuses it"
        answer = await self.api.send(method, target.removeprefix("/api"), content, headers)
        pairs = [(name, value) for name, value in answer.headers.items() if name != "set-cookie"]
        return ApiResponse(answer.status, [*pairs, *(("set-cookie", one) for one in answer.cookies)], answer.body)

    async def send(
        self, browser: Browser, method: str, target: str, content: bytes, headers: Sequence[tuple[str, str]]
    ) -> Shown:
        """Send a request as a browser without scripts does."""
        given = [
            ("host", browser.origin.partition("://")[2]),
            ("user-agent", "Mozilla/5.0 Firefox/140.0"),
            ("accept-language", "vi"),
            ("sec-fetch-site", "same-origin"),
            *headers,
        ]
        if browser.cookies:
            given.append(("cookie", "; ".join(f"{name}={value}" for name, value in browser.cookies.items())))
        if method != "GET":
            given.append(("origin", browser.origin))
        CALLER.set(browser.address)
        answer = await call_asgi(self.app, method, target.partition("#")[0], content, given, root=ROOT)
        for cookie in answer.cookies:
            pair, *attributes = cookie.split("; ")
            name, _, value = pair.partition("=")
            if not value.strip('"') or "Max-Age=0" in attributes:
                browser.cookies.pop(name, None)
            else:
                browser.cookies[name] = value
        return Shown(answer.status, answer.headers, answer.body.decode(), answer.headers.get("location", ""))


@pytest.fixture
def pages(tenants: EditorApi, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """The pages of two sites; nobody tells them that a version is public, so that they do not wait for it."""
    monkeypatch.setattr(steps, "PUBLICATION_WAIT", "1ms")
    return Pages(tenants)


@pytest.fixture
def visit(pages: Pages, newsroom: People) -> Callable[..., Any]:
    """Open a browser of a new person with grants; without grants nobody has logged in."""

    async def opened(*grants: str, name: str = "") -> Visitor:
        browser = await newsroom.browser(*grants, name=name) if grants else Browser(pages.api, origin=HTTPS)
        return Visitor(pages, browser)

    return opened
