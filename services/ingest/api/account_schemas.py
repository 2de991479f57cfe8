"""Responses about people, their sessions and rights."""

from datetime import datetime
from typing import Literal

import msgspec

from services.ingest.auth.callers import Grant
from services.ingest.auth.sessions import SessionRow


class GrantShown(msgspec.Struct):
    """A scope on a site, or on all (null), and there in one section, or in all (null)."""

    scope: str
    site: str | None
    section: str | None


class SectionOfCaller(msgspec.Struct):
    """A section, and the scopes that the caller has in it."""

    slug: str
    name: str
    scopes: list[str]


class SiteOfCaller(msgspec.Struct):
    """A site, the scopes that the caller has on the whole of it, and its sections."""

    slug: str
    name: str
    url: str
    language: str
    scopes: list[str]
    sections: list[SectionOfCaller]


class Me(msgspec.Struct, omit_defaults=True):
    """The caller."""

    id: str
    name: str
    kind: str
    """person or token"""
    grants: list[GrantShown]
    sites: list[SiteOfCaller]
    expires_at: datetime | None = None
    """When the token or the session ends at the latest."""
    email: str | None = None
    language: str | None = None
    has_two_steps: bool | None = None
    recovery_codes_left: int | None = None
    csrf_token: str | None = None
    """Repeat it in the header `X-CSRF-Token` of each change."""
    session: int | None = None
    """The request's own among the sessions."""
    sessions: list[SessionRow] | None = None


class TotpSecret(msgspec.Struct):
    """A new secret; it is used once `PUT /me/totp` has confirmed it."""

    secret: str
    uri: str
    """For a QR code."""


class RecoveryCodes(msgspec.Struct):
    """Codes that replace one of the app, each once. They are not shown again."""

    recovery_codes: list[str]


class NewSession(msgspec.Struct):
    """An open session. Its cookie is set; each change repeats the token in the header `X-CSRF-Token`."""

    person: str
    csrf_token: str


class SessionList(msgspec.Struct):
    """The open sessions of a person."""

    current: int
    sessions: list[SessionRow]


class LogInMethods(msgspec.Struct):
    """How people can log in here."""

    password: bool
    provider: str | None
    """Name of the OpenID Connect provider; `GET /sessions/oidc` begins a log-in there."""
    mail: bool
    """Whether links for new passwords can be sent."""


class LinkPerson(msgspec.Struct):
    """For whom a link is, and what it does: invitation, reset or login."""

    purpose: str
    email: str
    name: str


class PersonShown(msgspec.Struct):
    """A person, as administrators see one."""

    id: str
    email: str
    name: str
    language: str
    state: str
    """invited, active or locked"""
    grants: list[GrantShown]
    has_two_steps: bool
    has_provider: bool
    """Has logged in by OpenID Connect."""
    created_at: datetime
    logged_in_at: datetime | None
    invited_until: datetime | None


class PersonList(msgspec.Struct):
    """The people whom the caller administers."""

    people: list[PersonShown]


class InvitedPerson(msgspec.Struct, omit_defaults=True):
    """A person to whom a link was sent; without a mail server, the link itself, to be handed over."""

    person: PersonShown
    expires_at: datetime
    link: str | None = None


def shown_grants(grants: frozenset[Grant]) -> list[GrantShown]:
    """Return grants as the API shows them."""
    return [GrantShown(one.scope, one.site or None, one.section or None) for one in sorted(grants)]


class SentForm(msgspec.Struct, omit_defaults=True):
    """A form of a page: begun by this request, pending in another process, or answered."""

    state: Literal["begun", "pending", "answered"]
    answer: str | None = None
    """The path to which it led."""


ACCOUNT_TYPES = (
    Me,
    SentForm,
    TotpSecret,
    RecoveryCodes,
    NewSession,
    SessionList,
    LogInMethods,
    LinkPerson,
    PersonShown,
    PersonList,
    InvitedPerson,
)
"""The responses of routes."""
