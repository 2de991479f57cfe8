"""Documents → HTTP responses that are ready to be sent: headers and bytes in each coding that a client accepts."""

import re
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
CACHE_IMMUTABLE = "public, max-age=31536000, immutable"
CACHE_REVALIDATE = "public, max-age=0, must-revalidate"
CACHE_NO_STORE = "no-store"
REPRESENTATION_OVERHEAD_BYTES = 1_400
"""Memory that a representation takes besides its bytes: its own headers, and the objects."""
LAST_MODIFIED_FINAL_SECONDS = 1.5
"""`Last-Modified` has whole seconds, and a page may change twice in one. Until that second is over, an earlier date is
sent, so that no client that revalidates by date keeps the first of the two indefinitely."""

QUERY_CHARACTERS_MAX = 1_000
_CAMPAIGN = re.compile(r"utm_[a-z_]{1,30}=[A-Za-z0-9._~%+-]{1,200}")

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), browsing-topics=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Of every response of the portal."""
DENY_ALL_CSP = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""Of everything but pages: whatever a browser takes it for, nothing in it runs."""
CROSS_ORIGIN_HEADERS = {"cross-origin-resource-policy": "cross-origin"}
"""Of images: feeds and shared links show them on other sites."""


def page_csp(inline_script_hash: str) -> str:
    """Return the Content-Security-Policy of pages: the site's own files, and the one inline script, by its SHA-256."""
    return (
        f"default-src 'none'; script-src 'self' 'sha256-{inline_script_hash}'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; font-src 'self'; manifest-src 'self'; media-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    )


def security_headers(csp: str = DENY_ALL_CSP) -> dict[str, str]:
    """Return the security headers, with a Content-Security-Policy."""
    return {**SECURITY_HEADERS, "content-security-policy": csp}


class HeaderReader(Protocol):
    """The headers of a request, of Starlette or of RSGI. Names are in lower case."""

    def get(self, name: str, /) -> str | None:
        """Return a header, or None."""
        ...


class Representations:
    """The representations (RFC 9110) of one document, full or 304. Each is made when it is first needed."""

    def __init__(
        self,
        document: Document,
        *,
        status: int = 200,
        csp: str = DENY_ALL_CSP,
        cache_control: str = CACHE_REVALIDATE,
        changed_at: datetime | None = None,
        headers: Mapping[str, str] | None = None,
        route: str = ROUTE,
    ) -> None:
        """Represent a document.

        Args:
            document: The bytes and their media type.
            status: Only 200 has entity tags and can become 304.
            csp: Its Content-Security-Policy.
            cache_control: How long caches may keep it.
            changed_at: When it last changed; None: no `Last-Modified`.
            headers: Additional headers.
            route: The label of its URL in metrics.
        """
        self.document = document
        self.bytes_size = len(document.body)
        """Memory that the representations take that were made so far."""
        self._codings = document.codings
        self._status = status
        self._changed_at = changed_at and changed_at.replace(microsecond=0)
        self._route = route
        self._headers = {**security_headers(csp), "cache-control": cache_control, **(headers or {})}
        if document.codings:
            self._headers["vary"] = "accept-encoding"
        if document.link:
            self._headers["link"] = document.link
        self._full: dict[str, CachedResponse] = {}
        self._not_modified: dict[str, CachedResponse] = {}
        self._coding_of = {document.etag(coding): coding for coding in (IDENTITY, *document.codings)}
        self.finalize_in_seconds: float | None = None
        """Seconds until `finalize_last_modified` is to be called; None: `Last-Modified` is final."""
        if self._changed_at:
            age = (datetime.now(UTC) - self._changed_at).total_seconds()
            self.finalize_in_seconds = (
                max(0.1, LAST_MODIFIED_FINAL_SECONDS - age) if age < LAST_MODIFIED_FINAL_SECONDS else None
            )
            self._set_last_modified(self._changed_at - timedelta(seconds=1 if self.finalize_in_seconds else 0))

    def finalize_last_modified(self) -> None:
        """Send the true date from now on."""
        if self._changed_at:
            self._set_last_modified(self._changed_at)
        self.finalize_in_seconds = None
        self._full, self._not_modified, self.bytes_size = {}, {}, len(self.document.body)

    def _set_last_modified(self, date: datetime) -> None:
        self._headers["last-modified"] = format_datetime(date, usegmt=True)

    def response(self, headers: HeaderReader) -> CachedResponse:
        """Return the response to a request with these headers."""
        coding, is_known = self._wanted(headers)
        if is_known:
            return self._not_modified.get(coding) or self._make_not_modified(coding)
        return self._full.get(coding) or self._make_full(coding)

    def ready_response(self, headers: HeaderReader) -> CachedResponse | None:
        """Return the same if it was made already; any thread may ask for it."""
        coding, is_known = self._wanted(headers)
        return (self._not_modified if is_known else self._full).get(coding)

    def _wanted(self, headers: HeaderReader) -> tuple[str, bool]:
        """Return the coding to respond in, and whether the client has the document in it already."""
        accepted = accepted_codings(headers.get("accept-encoding"), self._codings)
        if_none_match = headers.get("if-none-match")
        if_modified_since = headers.get("if-modified-since")
        if (if_none_match is not None or if_modified_since is not None) and self._status == 200:
            matched = self._matched_coding(accepted, if_none_match, if_modified_since)
            if matched is not None:
                return matched, True
        return accepted[0], False

    def _matched_coding(
        self, accepted: tuple[str, ...], if_none_match: str | None, if_modified_since: str | None
    ) -> str | None:
        """Return the accepted coding in which the client has the document already, or None."""
        if if_none_match is not None:
            coding = self._coding_of.get(if_none_match)  # browsers send the one tag as they received it
            if coding in accepted:
                return coding
            return next((one for one in accepted if etag_matches(self.document.etag(one), if_none_match)), None)
        if if_modified_since is None or self._changed_at is None:
            return None
        try:
            since = parsedate_to_datetime(if_modified_since)
            return accepted[0] if since.tzinfo is not None and self._changed_at <= since else None
        except (ValueError, OverflowError):
            return None

    def _make_full(self, coding: str) -> CachedResponse:
        body = self.document.encoded(coding)
        headers = [*self._headers.items(), ("content-type", self.document.media_type)]
        if self._status == 200:
            headers.append(("etag", self.document.etag(coding)))
        if coding in self.document.codings:
            headers.append(("content-encoding", coding))
            self.bytes_size += len(body)
        self.bytes_size += REPRESENTATION_OVERHEAD_BYTES
        made = self._full[coding] = CachedResponse(
            self._status, headers, body, HTTP_CACHED_RESPONSES.labels(self._route, self._status)
        )
        return made

    def _make_not_modified(self, coding: str) -> CachedResponse:
        headers = [*self._headers.items(), ("etag", self.document.etag(coding))]
        self.bytes_size += REPRESENTATION_OVERHEAD_BYTES
        made = self._not_modified[coding] = CachedResponse(
            304, headers, b"", HTTP_CACHED_RESPONSES.labels(self._route, 304)
        )
        return made


def campaign_query(query_string: str) -> str:
    """Return the parameters of a query that name a campaign (`utm_source` and the like), as they were sent."""
    parts = query_string[:QUERY_CHARACTERS_MAX].split("&")
    return "&".join(part for part in parts if _CAMPAIGN.fullmatch(part))


def redirect(path: str, query: str = "") -> Response:
    """Return a redirect to a path, with a query. It may change again, so it is not cached."""
    location = quote(path) + (f"?{query}" if query else "")
    return Response(None, 301, {**security_headers(), "cache-control": "no-cache", "location": location})


def problem(status: int, detail: str, **headers: str) -> Problem:
    """Return a problem with the portal's headers; underscores in names become hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Problem(status, detail, headers={**security_headers(), "cache-control": CACHE_NO_STORE, **named})


def as_response(response: CachedResponse) -> Response:
    """Return a cached response for Starlette to send."""
    return Response(response.body, response.status, dict(response.headers))
