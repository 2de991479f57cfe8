"""Access to a site's statistics: public, or with a token of the site."""

import hashlib
import hmac
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request

from shared.events import SiteSlug
from shared.http.problems import Problem
from shared.settings import SettingsError
from shared.sites import Site, Sites

TOKEN_CHARACTERS_MIN = 16


class StatisticsAuth:
    """The tokens, as checksums that are compared in constant time."""

    def __init__(self, sites: Sites, tokens: str) -> None:
        """Parse lines of `site token`.

        Raises:
            SettingsError: a line is malformed, a token is short, or a site that requires one has none.
        """
        self._checksums: dict[str, list[bytes]] = {}
        errors = []
        for number, line in enumerate(tokens.splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) != 2 or not _is_slug(words[0]):
                errors.append(f"line {number} is not `site token`")
            elif len(words[1]) < TOKEN_CHARACTERS_MIN:
                errors.append(f"line {number}: a token must have at least {TOKEN_CHARACTERS_MIN} characters")
            else:
                self._checksums.setdefault(words[0], []).append(_checksum(words[1]))
        required = [site.slug for site in sites.values() if site.statistics == "token"]
        errors += [f"site {slug} requires a token, and has none" for slug in required if slug not in self._checksums]
        if errors:
            raise SettingsError("PRESSTALLY_STATISTICS_TOKENS: " + "; ".join(errors))

    def check(self, request: Request, site: Site) -> None:
        """Check that a request may read a site's statistics.

        Raises:
            Problem: 401.
        """
        if not self.may_read(request, site):
            raise _token_required("These statistics require")

    def check_owner(self, request: Request, site: Site) -> None:
        """Check that a request may read what strangers can write, which is never public: paths, origins.

        Raises:
            Problem: 401.
        """
        if not self.has_token(request, site):
            raise _token_required("Anybody can send views of any page. So pages and origins require")

    def is_known(self, site: Site) -> bool:
        """Return whether the site has a token."""
        return site.slug in self._checksums

    def has_token(self, request: Request, site: Site) -> bool:
        """Return whether a request has a token of the site."""
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        token = sent.strip() if scheme.lower() == "bearer" else request.query_params.get("token", "")
        checksum = _checksum(token)
        known = [hmac.compare_digest(checksum, one) for one in self._checksums.get(site.slug, [])]
        return any(known)

    def may_read(self, request: Request, site: Site) -> bool:
        """Return whether a request may read a site's statistics."""
        return site.statistics == "public" or self.has_token(request, site)


def _token_required(what: str) -> Problem:
    return Problem(
        401,
        f"{what} a token of the site: `Authorization: Bearer …`, or `?token=…` in the address.",
        headers={"www-authenticate": "Bearer", "cache-control": "no-store"},
    )


def query_with_token(request: Request, site: Site, **query: str | int | None) -> str:
    """Return the query of a link to another view of the same statistics, with the token if the address has one."""
    if site.statistics == "token" and "token" in request.query_params:
        query["token"] = request.query_params["token"]
    given = {name: value for name, value in query.items() if value is not None}
    return f"?{urlencode(given)}" if given else "?"


def _is_slug(text: str) -> bool:
    """Return whether a site may have that name; it need not be declared, so that a site can be added and removed."""
    try:
        msgspec.convert(text, SiteSlug)
    except msgspec.ValidationError:
        return False
    return True


def _checksum(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
