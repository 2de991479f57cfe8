"""Who may see a site's statistics: everybody, or who has a token of the site."""

import hashlib
import hmac
from urllib.parse import urlencode

from starlette.requests import Request

from shared.http.problems import Problem
from shared.settings import SettingsError
from shared.sites import Site, Sites

TOKEN_CHARACTERS_MIN = 16


class Access:
    """The tokens, as checksums: comparing them takes the same time whatever is wrong."""

    def __init__(self, sites: Sites, tokens: str) -> None:
        """Take lines of `site token`.

        Raises:
            SettingsError: a line is malformed, a token is short, or a site that asks for one has none.
        """
        self._checksums: dict[str, list[bytes]] = {}
        faults = []
        for number, line in enumerate(tokens.splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if len(words) != 2 or words[0] not in sites:
                faults.append(f"line {number} is not `site token` with a site of ours")
            elif len(words[1]) < TOKEN_CHARACTERS_MIN:
                faults.append(f"line {number}: a token has {TOKEN_CHARACTERS_MIN} characters or more")
            else:
                self._checksums.setdefault(words[0], []).append(_checksum(words[1]))
        asking = [site.slug for site in sites.values() if site.statistics == "token"]
        faults += [f"site {slug} asks for a token, and there is none" for slug in asking if slug not in self._checksums]
        if faults:
            raise SettingsError("PRESSTALLY_STATISTICS_TOKENS: " + "; ".join(faults))

    def check(self, request: Request, site: Site) -> None:
        """Let the request pass, or refuse it.

        Raises:
            Problem: 401.
        """
        if site.statistics == "public":
            return
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        token = sent.strip() if scheme.lower() == "bearer" else request.query_params.get("token", "")
        checksum = _checksum(token)
        known = [hmac.compare_digest(checksum, one) for one in self._checksums.get(site.slug, [])]
        if not any(known):
            raise Problem(
                401,
                "These statistics ask for a token: `Authorization: Bearer …`, or `?token=…` in the address.",
                headers={"www-authenticate": "Bearer", "cache-control": "no-store"},
            )


def link_query(request: Request, site: Site, **query: str | int | None) -> str:
    """Return the query of a link to another view of the same statistics; a token in the address goes along."""
    if site.statistics == "token" and "token" in request.query_params:
        query["token"] = request.query_params["token"]
    told = {name: value for name, value in query.items() if value is not None}
    return f"?{urlencode(told)}" if told else "?"


def _checksum(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
