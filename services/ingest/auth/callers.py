"""Callers of the API: holders of bearer tokens and people, with what each may do, on which sites and sections. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from services.ingest.auth.actors import Actor
from shared.http.problems import Problem

SCOPES = ("read", "write", "publish", "admin", "events")
IMPLIED = {
    "read": {"read"},
    "write": {"write", "read"},
    "publish": {"publish", "write", "read"},
    "admin": set(SCOPES),
    "events": {"events"},
}
"""The scopes that each scope includes."""
ANY_SECTION = "*"
"""In place of a section: at least one of the site's."""


@dataclass(frozen=True, order=True)
class Grant:
    """A scope on a site, or on all (""), and there in one section, or in all ("")."""

    scope: str
    site: str = ""
    section: str = ""

    def covers(self, scope: str, site: str | None, section: str | None) -> bool:
        """Return whether it allows a scope somewhere (site None), on a whole site (section None), or in a section."""
        if scope not in IMPLIED[self.scope]:
            return False
        if site is None:
            return True
        if self.site not in ("", site):
            return False
        return self.section in ("", section) or section == ANY_SECTION


def token_grants(scopes: Iterable[str], sites: Iterable[str] | None) -> frozenset[Grant]:
    """Return the grants of a token: each of its scopes on each of its sites, None meaning all."""
    return frozenset(Grant(scope, site) for scope in scopes for site in ([""] if sites is None else sites))


@dataclass(frozen=True)
class Caller:
    """Who sends a request: the holder of a token, or a person."""

    id: str
    """Prefix of the token, or id of the person."""
    name: str
    grants: frozenset[Grant]
    expires_at: datetime | None = None
    person: str | None = None
    """Id of the person; None for a token."""
    session: int | None = None
    """Number of the person's session."""

    @property
    def actor(self) -> Actor:
        """The actor that revisions and the audit log name for what this caller does."""
        return Actor(self.name, self.id)

    @cached_property
    def scopes(self) -> frozenset[str]:
        """The scopes that it has anywhere, with the included ones."""
        return frozenset(scope for grant in self.grants for scope in IMPLIED[grant.scope])

    @property
    def sites(self) -> frozenset[str] | None:
        """The sites that it may access, whatever its scopes; None means all."""
        return self.sites_with(None)

    def sites_with(self, scope: str | None, section: str | None = ANY_SECTION) -> frozenset[str] | None:
        """Return the sites where it has a scope (None: any) in any section, or on the whole site (section None)."""
        granted = [
            grant
            for grant in self.grants
            if (scope is None or scope in IMPLIED[grant.scope]) and (section == ANY_SECTION or not grant.section)
        ]
        return None if any(not grant.site for grant in granted) else frozenset(grant.site for grant in granted)

    def places_with(self, scope: str) -> list[str] | None:
        """Return where it has a scope, as `site/*` and `site/section`; None means everywhere."""
        granted = [grant for grant in self.grants if scope in IMPLIED[grant.scope]]
        if any(not grant.site for grant in granted):
            return None
        return sorted({f"{grant.site}/{grant.section or ANY_SECTION}" for grant in granted})

    def reaches(self, site: str) -> bool:
        """Return whether it may access a site at all, whatever its scopes."""
        return any(grant.site in ("", site) for grant in self.grants)

    def allows(self, scope: str, site: str | None = None, section: str | None = None) -> bool:
        """Return whether it has a scope.

        Args:
            scope: A member of SCOPES.
            site: None: on any site.
            section: None: on the whole site, so that one who has single sections has not; ANY_SECTION: in any of them.
        """
        return any(grant.covers(scope, site, section) for grant in self.grants)

    def check(self, scope: str, site: str | None = None, section: str | None = None) -> None:
        """Require a scope, as `allows` understands it.

        Raises:
            Problem: 403, naming the missing scope. A site without access is not named: the response is the same
                whether it exists or not.
        """
        if self.allows(scope, site, section):
            return
        if scope in self.scopes and site is not None and not self.reaches(site):
            raise Problem(403, f"{self._subject} has no access to this site.", code="no_access_to_site")
        challenge = {"www-authenticate": f'Bearer realm="presstally", error="insufficient_scope", scope="{scope}"'}
        if scope not in self.scopes:
            known = ", ".join(sorted(self.scopes)) or "no scope"
            detail = f"Requires the scope {scope!r}; {self._subject.lower()} has {known}."
            raise Problem(403, detail, headers=challenge, missing_scope=scope)
        place = "in this section" if section not in (None, ANY_SECTION) else "on the whole site"
        if not self.allows(scope, site, ANY_SECTION):
            place = "on this site"
        detail = f"Requires the scope {scope!r} {place}."
        raise Problem(403, detail, headers=challenge, missing_scope=scope)

    @property
    def _subject(self) -> str:
        return "The token" if self.person is None else "Your account"
