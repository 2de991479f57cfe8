"""Documents → answers that are ready to be sent: headers and bytes in each form that a client may take."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Protocol
from urllib.parse import quote

from starlette.responses import Response

from services.render.pages.document import Document
from shared.http.negotiation import IDENTITY, accepted_codings, etag_matches
from shared.http.problems import Problem
from shared.metrics import HTTP_CACHED_RESPONSES
from shared.role import CachedResponse

ROUTE = "/{path:path}"
"""The portal's one route, as metrics name it."""
FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "public, max-age=0, must-revalidate"
NOT_KEPT = "no-store"
FORM_BYTES = 1_400
"""Memory that a form takes beside its bytes: the headers that are its own, and the objects."""
SETTLED_AFTER_SECONDS = 1.5
"""A date has no parts of a second: a page may change again on the same date. Until that is over an earlier one is told,
so that nobody who asks by date has the first of the two for ever."""

SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Of every answer of the portal."""
NO_PAGE_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""Of what is no page: whatever a browser takes it for, nothing in it runs."""
FOR_OTHERS = {"cross-origin-resource-policy": "cross-origin"}
"""Of pictures: feeds and shared links show them on other sites."""


def page_policy(early_script_hash: str) -> str:
    """Return the policy of pages: files of our own, and the one script that stands in the page, by its SHA-256."""
    return (
        f"default-src 'none'; script-src 'self' 'sha256-{early_script_hash}'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'self'"
    )


def safe_headers(policy: str = NO_PAGE_POLICY) -> dict[str, str]:
    """Return the headers that keep readers safe, with what may run."""
    return {**SAFE_HEADERS, "content-security-policy": policy}


class Headers(Protocol):
    """The headers of a request, whoever hands them over. Names are in lower case."""

    def get(self, name: str, /) -> str | None:
        """Return a header, or None."""
        ...


class Forms:
    """The answers to all who ask for one document: whole, or not changed. Each is made when it is first needed."""

    def __init__(
        self,
        document: Document,
        *,
        status: int = 200,
        policy: str = NO_PAGE_POLICY,
        cache_control: str = ASK_FIRST,
        changed_at: datetime | None = None,
        headers: Mapping[str, str] | None = None,
        route: str = ROUTE,
    ) -> None:
        """Take a document.

        Args:
            document: The bytes, and what they are.
            status: Only what is 200 can be 304.
            policy: What may run in it.
            cache_control: How long caches may keep it.
            changed_at: When it was changed; None: it has no date.
            headers: More of them.
            route: What metrics call its address.
        """
        self.document = document
        self.bytes_size = len(document.body)
        """Memory that the bytes take, in all forms that were made."""
        self._codings = document.codings
        self._status = status
        self._changed_at = changed_at and changed_at.replace(microsecond=0)
        self._route = route
        self._headers = {**safe_headers(policy), "cache-control": cache_control, **(headers or {})}
        if document.codings:
            self._headers["vary"] = "accept-encoding"
        self._whole: dict[str, CachedResponse] = {}
        self._unchanged: dict[str, CachedResponse] = {}
        self._coding_of = {document.etag(coding): coding for coding in (IDENTITY, *document.codings)}
        self.settles_in: float | None = None
        """Seconds until its date stands for it alone; None: it does. Then `settle` is to be called."""
        if self._changed_at:
            age = (datetime.now(UTC) - self._changed_at).total_seconds()
            self.settles_in = max(0.1, SETTLED_AFTER_SECONDS - age) if age < SETTLED_AFTER_SECONDS else None
            self._tell_date(self._changed_at - timedelta(seconds=1 if self.settles_in else 0))

    def settle(self) -> None:
        """Tell the true date from now on."""
        if self._changed_at:
            self._tell_date(self._changed_at)
        self.settles_in = None
        self._whole, self._unchanged, self.bytes_size = {}, {}, len(self.document.body)

    def _tell_date(self, date: datetime) -> None:
        self._headers["last-modified"] = format_datetime(date, usegmt=True)

    def answer(self, headers: Headers) -> CachedResponse:
        """Return the answer to a request with these headers."""
        takes = accepted_codings(headers.get("accept-encoding"), self._codings)
        if_none_match = headers.get("if-none-match")
        if_modified_since = headers.get("if-modified-since")
        if (if_none_match is not None or if_modified_since is not None) and self._status == 200:
            known = self._known(takes, if_none_match, if_modified_since)
            if known is not None:
                return self._unchanged.get(known) or self._make_unchanged(known)
        return self._whole.get(takes[0]) or self._make_whole(takes[0])

    def _known(self, takes: tuple[str, ...], if_none_match: str | None, if_modified_since: str | None) -> str | None:
        """Return in which coding the client has the document already, of those that it takes."""
        if if_none_match is not None:
            coding = self._coding_of.get(if_none_match)  # what browsers send: the one tag as they got it
            if coding in takes:
                return coding
            return next((one for one in takes if etag_matches(self.document.etag(one), if_none_match)), None)
        if if_modified_since is None or self._changed_at is None:
            return None
        try:
            since = parsedate_to_datetime(if_modified_since)
            return takes[0] if since.tzinfo is not None and self._changed_at <= since else None
        except (ValueError, OverflowError):
            return None

    def _make_whole(self, coding: str) -> CachedResponse:
        body = self.document.encoded(coding)
        headers = [*self._headers.items(), ("content-type", self.document.media_type)]
        if self._status == 200:
            headers.append(("etag", self.document.etag(coding)))
        if coding in self.document.codings:
            headers.append(("content-encoding", coding))
            self.bytes_size += len(body)
        self.bytes_size += FORM_BYTES
        made = self._whole[coding] = CachedResponse(
            self._status, headers, body, HTTP_CACHED_RESPONSES.labels(self._route, self._status)
        )
        return made

    def _make_unchanged(self, coding: str) -> CachedResponse:
        headers = [*self._headers.items(), ("etag", self.document.etag(coding))]
        self.bytes_size += FORM_BYTES
        made = self._unchanged[coding] = CachedResponse(
            304, headers, b"", HTTP_CACHED_RESPONSES.labels(self._route, 304)
        )
        return made


def moved(path: str) -> Response:
    """Return the answer that says where something stands now. It may move again, so nobody keeps it."""
    return Response(None, 301, {**safe_headers(), "cache-control": "no-cache", "location": quote(path)})


def problem(status: int, detail: str, **headers: str) -> Problem:
    """Return a problem in the portal's own headers; underscores in names are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Problem(status, detail, headers={**safe_headers(), "cache-control": NOT_KEPT, **named})


def as_response(answer: CachedResponse) -> Response:
    """Return an answer for a framework to send."""
    return Response(answer.body, answer.status, dict(answer.headers))
