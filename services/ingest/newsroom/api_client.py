"""The editor API as the sender of a page's request may use it: with its cookies, its address and its language.

Rights, validation, the audit and the texts of errors are the API's: a page cannot differ from them.
"""

import asyncio
import http.client
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from starlette.requests import Request

from services.ingest.newsroom.field_names import error_sentence

SECONDS_MAX = 40.0
"""For a request; a publication is waited for 30 seconds at most."""
THREADS_MAX = 16
RESPONSE_BYTES_MAX = 32 * 1024**2
PASSED_ON = ("host", "cookie", "origin", "sec-fetch-site", "user-agent", "traceparent")
"""Headers by which the API knows a browser, and the page that its request comes from."""
Headers = Sequence[tuple[str, str]]
Body = bytes | IO[bytes]


class ApiResponse(NamedTuple):
    """A response of the editor API."""

    status: int
    headers: Headers
    body: bytes

    def json(self) -> Any:
        """Return the body; None if there is none."""
        return msgspec.json.decode(self.body) if self.body else None

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for known, value in self.headers if known.lower() == name]


Transport = Callable[[str, str, Headers, Body], Awaitable[ApiResponse]]
"""Sends a request: method, path with its query, headers, body. Raises ApiUnavailableError."""


class ApiUnavailableError(Exception):
    """The editor API does not answer."""


class ApiError(Exception):
    """The editor API refuses a request, with a problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or status))
        self.status = status
        self.problem = problem

    @property
    def code(self) -> str:
        """What happened, for programs."""
        return str(self.problem.get("code") or "")

    @property
    def field_errors(self) -> dict[str, str]:
        """The messages by the first word of their field's path: `body.3.html` belongs to `body`."""
        found: dict[str, str] = {}
        for one in self.problem.get("errors") or ():
            found.setdefault(str(one["field"]).partition(".")[0], str(one["fault"]))
        return found


class HttpTransport:
    """Sends requests to the internal port of the role `articles`, each in a thread and on a connection of its own.

    Args:
        url: Its address, as PRESSTALLY_ARTICLES_URL.
        seconds_max: Longest silence.
    """

    def __init__(self, url: str, seconds_max: float = SECONDS_MAX) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._seconds_max = seconds_max
        self._threads = ThreadPoolExecutor(THREADS_MAX, "editor-api")

    async def __call__(self, method: str, target: str, headers: Headers, body: Body) -> ApiResponse:
        """Send a request, and return the response.

        Raises:
            ApiUnavailableError: there is none.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._send, method, target, headers, body
        )

    def _send(self, method: str, target: str, headers: Headers, body: Body) -> ApiResponse:
        if not self._host:
            raise ApiUnavailableError("PRESSTALLY_ARTICLES_URL is not set")
        connection = self._kind(self._host, self._port, timeout=self._seconds_max)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body or None)
            response = connection.getresponse()
            content = response.read(RESPONSE_BYTES_MAX)
            return ApiResponse(response.status, response.getheaders(), content)
        except (OSError, http.client.HTTPException) as error:
            raise ApiUnavailableError(type(error).__name__) from error
        finally:
            connection.close()

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class ApiClient:
    """The editor API for one request of a page.

    Args:
        transport: Sends requests.
        request: The page's, from a browser.
        language: Of the API's texts.
    """

    def __init__(self, transport: Transport, request: Request, language: str) -> None:
        self._transport = transport
        self.language = language
        self.cookies: list[str] = []
        """The `set-cookie` headers of its responses, for the browser."""
        headers = request.headers
        self._headers = [(name, headers[name]) for name in PASSED_ON if name in headers]
        forwarded = [*headers.getlist("x-forwarded-for"), request.client.host if request.client else "unknown"]
        self._headers.append(("x-forwarded-for", ", ".join(forwarded)))

    async def get(self, path: str, **query: Any) -> Any:
        """Return what a path below `/api` has; values of the query that are None are left out."""
        return (await self.request("GET", path, query=query)).json()

    async def send(
        self,
        method: str,
        path: str,
        sent: Mapping[str, Any] | None = None,
        *,
        csrf: str = "",
        version: int | str | None = None,
        key: str = "",
        more: Headers = (),
        **query: Any,
    ) -> Any:
        """Change something, and return the response's content.

        Args:
            method: POST, PUT, PATCH or DELETE.
            path: Below `/api`.
            sent: The body, as JSON.
            csrf: The session's token, as the form had it.
            version: What is changed, as If-Match.
            key: Of a request that takes effect once, however often it is sent.
            more: Further headers.
            query: Values that are None are left out.

        Raises:
            ApiError: the API refuses it.
            ApiUnavailableError: it does not answer.
        """
        headers = [("content-type", "application/json")] if sent is not None else []
        headers += [("x-csrf-token", csrf)] if csrf else []
        headers += [("if-match", f'"{version}"')] if version is not None else []
        headers += [("idempotency-key", key)] if key else []
        headers += more
        if not all(value.isascii() and value.isprintable() for _, value in headers):
            raise ApiError(400, {})  # fields that no page has written
        body = b"" if sent is None else msgspec.json.encode(sent)
        return (await self.request(method, path, headers, body, query)).json()

    async def upload(self, path: str, file: IO[bytes], size: int, *, csrf: str, **query: Any) -> Any:
        """Send a file, and return what the API stored."""
        headers = [("content-type", "application/octet-stream"), ("content-length", str(size)), ("x-csrf-token", csrf)]
        if not (csrf.isascii() and csrf.isprintable()):
            raise ApiError(400, {})
        return (await self.request("POST", path, headers, file, query)).json()

    async def request(
        self,
        method: str,
        path: str,
        headers: Headers = (),
        body: Body = b"",
        query: Mapping[str, Any] | None = None,
    ) -> ApiResponse:
        """Send a request, and return a response without an error.

        Raises:
            ApiError: the API refuses it.
            ApiUnavailableError: it does not answer.
        """
        asked = urlencode({name: value for name, value in (query or {}).items() if value is not None}, doseq=True)
        target = f"/api{quote(path)}{'?' if asked else ''}{asked}"
        own = [("accept-language", self.language), *headers]
        if isinstance(body, bytes) and method != "GET":
            own.append(("content-length", str(len(body))))
        response = await self._transport(method, target, [*self._headers, *own], body)
        self.cookies += response.all("set-cookie")
        if response.status < 300:
            return response
        status = 404 if response.status < 400 else response.status  # a redirect: the path names nothing
        raise ApiError(status, _problem(response, self.language))


def _problem(response: ApiResponse, language: str) -> Mapping[str, Any]:
    """Return a problem document; its fields are named in the words of the pages."""
    try:
        found = response.json()
    except msgspec.MsgspecError:
        found = None
    if not isinstance(found, dict):
        return {"detail": f"HTTP {response.status}"}
    errors = found.get("errors")
    return {**found, "detail": error_sentence(errors, language)} if errors else found
