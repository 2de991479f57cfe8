"""People with accounts: stored, changed and removed, each change with its entry in the audit log."""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from services.ingest.auth.actors import PERSON_PREFIX, Actor
from services.ingest.auth.audit import record
from services.ingest.auth.callers import Caller, Grant
from services.ingest.content.errors import FieldError, InvalidContentError, field_error, invalid, quoted
from services.ingest.content.normalization import TextError, clean_line
from services.ingest.queries import ACCOUNTS
from shared.http.problems import Problem
from shared.origins import InvalidOriginError, host_of_origin, normalize_origin
from shared.postgres import Connection
from shared.sites import Sites

SCOPES_OF_PEOPLE = ("read", "write", "publish", "admin")
NAME_CHARACTERS_MAX = 150
EMAIL_CHARACTERS_MAX = 254
GRANTS_MAX = 200
LANGUAGES = ("vi", "en")
_LOCAL_PART = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}")
_DOMAIN_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_DOMAIN_LABEL}\.)+(?!\d+$){_DOMAIN_LABEL}")
_PERSON_ID = re.compile(rf"{PERSON_PREFIX}[0-9a-f]{{16}}")


@dataclass(frozen=True)
class Person:
    """A person as administrators see one."""

    id: str
    email: str
    name: str
    language: str
    has_password: bool
    has_totp: bool
    has_identity: bool
    from_provider: bool
    created_at: datetime
    logged_in_at: datetime | None
    locked_at: datetime | None
    invited_until: datetime | None
    grants: frozenset[Grant]

    @property
    def is_administrator(self) -> bool:
        """Return whether this person may administer the whole installation."""
        return Grant("admin") in self.grants

    @property
    def can_log_in(self) -> bool:
        """Return whether this person has a way to log in: not locked, and more than invited."""
        return self.locked_at is None and (self.has_password or self.has_identity)


def normalize_email(text: str, field: str = "email") -> str:
    """Return an e-mail address in the form in which it is compared: lower case, the host in Punycode.

    Raises:
        InvalidContentError: it is no address. Letters beyond ASCII before the @ are refused: they can look like others,
            and lower case makes ASCII of some. A port is refused, too: it would be a second spelling of the host.
    """
    local, _, host = text.strip().rpartition("@")
    try:
        domain = host_of_origin(normalize_origin(f"https://{host}")) if ":" not in host else ""
    except InvalidOriginError:
        domain = ""
    email = f"{local.lower()}@{domain}"
    is_valid = (
        local.isascii()
        and _LOCAL_PART.fullmatch(local.lower()) is not None
        and ".." not in local
        and not local.startswith(".")
        and not local.endswith(".")
        and _DOMAIN.fullmatch(domain) is not None
    )
    if not is_valid or len(email) > EMAIL_CHARACTERS_MAX:
        raise invalid(field, "not_an_email")
    return email


def clean_name(text: str, field: str = "name") -> str:
    """Return a person's name on one line.

    Raises:
        InvalidContentError: it is empty, too long, or has characters that no name has.
    """
    try:
        name = clean_line(text)
    except TextError as error:
        raise invalid(field, error.code, **error.values) from error
    if not 1 <= len(name) <= NAME_CHARACTERS_MAX:
        code, limit = ("too_many_characters", NAME_CHARACTERS_MAX) if name else ("too_few_characters", 1)
        raise invalid(field, code, limit=limit, size=len(name))
    return name


def check_grants(grants: Iterable[Grant], sites: Sites, field: str = "grants") -> frozenset[Grant]:
    """Return grants without repetitions.

    Raises:
        InvalidContentError: a scope, site or section is unknown, or a section is named without its site.
    """
    given = list(grants)
    errors = []
    if len(given) > GRANTS_MAX:
        errors.append(field_error(field, "too_many_entries", limit=GRANTS_MAX, size=len(given)))
    for number, grant in enumerate(given[:GRANTS_MAX]):
        errors += grant_errors(grant, sites, f"{field}.{number}")
    if errors:
        raise InvalidContentError(errors)
    return frozenset(given)


def grant_errors(grant: Grant, sites: Sites, path: str) -> list[FieldError]:
    """Return what is wrong with a grant, by the field of the request; empty if it is valid."""
    errors = []
    if grant.scope not in SCOPES_OF_PEOPLE:
        errors.append(field_error(f"{path}.scope", "not_one_of", expected=", ".join(SCOPES_OF_PEOPLE)))
    if grant.site and grant.site not in sites:
        errors.append(field_error(f"{path}.site", "unknown_site", site=quoted(grant.site[:40])))
    elif grant.section and (not grant.site or sites[grant.site].section(grant.section) is None):
        code = "unknown_section" if grant.site else "section_without_site"
        named = {"site": grant.site} if grant.site else {}
        errors.append(field_error(f"{path}.section", code, section=quoted(grant.section[:60]), **named))
    return errors


def administers(caller: Caller, grants: Iterable[Grant]) -> bool:
    """Return whether a caller may give these grants, and change who has them: on each of their sites it is admin."""
    required = {grant.site or None for grant in grants} or {None}
    has_all_sites = Grant("admin") in caller.grants
    return all(has_all_sites or (site is not None and caller.allows("admin", site)) for site in required)


def person_of(row: asyncpg.Record) -> Person:
    """Return the person of a row of the query `people`."""
    grants = frozenset(Grant(*grant) for grant in msgspec.json.decode(row["grants"]))
    return Person(**{**dict(row), "grants": grants})


async def list_people(connection: Connection) -> list[Person]:
    """Return all people, by name."""
    return [person_of(row) for row in await connection.fetch(ACCOUNTS["people"], None, None)]


async def find_person(connection: Connection, *, id: str | None = None, email: str | None = None) -> Person | None:  # noqa: A002 - the person's
    """Return the person with an id or a normalised e-mail address, or None."""
    if id is not None and not _PERSON_ID.fullmatch(id):
        return None
    row = await connection.fetchrow(ACCOUNTS["people"], id, email)
    return None if row is None else person_of(row)


async def create_person(
    connection: Connection,
    actor: Actor,
    *,
    email: str,
    name: str,
    language: str,
    grants: frozenset[Grant],
    from_provider: bool = False,
) -> Person:
    """Create a person with checked values, who cannot log in before an invitation is accepted.

    Args:
        connection: In a transaction.
        actor: Who creates it.
        email: Normalised.
        name: Clean.
        language: Of mails to the person.
        grants: Checked.
        from_provider: Created at a log-in by OpenID Connect.

    Raises:
        Problem: 409 if somebody has the e-mail address.
    """
    identifier = PERSON_PREFIX + secrets.token_hex(8)
    made = await connection.fetchval(ACCOUNTS["insert_person"], identifier, email, name, language, from_provider)
    if made is None:
        raise Problem(409, "Somebody has this e-mail address already.", code="email_taken")
    await _store_grants(connection, identifier, grants)
    details = {"email": email, "name": name, "grants": describe_grants(grants)}
    await record(connection, actor, "create", kind="person", id=identifier, details=details)
    return await _stored(connection, identifier)


async def change_person(
    connection: Connection,
    actor: Actor,
    person: Person,
    *,
    email: str | None = None,
    name: str | None = None,
    language: str | None = None,
    grants: frozenset[Grant] | None = None,
    locked: bool | None = None,
) -> Person:
    """Change a person; None leaves a value as it is. New grants and a lock close all sessions of the person.

    Args:
        connection: In a transaction that began with `lock_people`.
        actor: Who changes it.
        person: As stored.
        email: Normalised.
        name: Clean.
        language: Of mails to the person.
        grants: Checked.
        locked: Whether the person may not log in.

    Raises:
        Problem: 409 if somebody has the e-mail address, or if nobody were left to administer the installation.
    """
    details: dict[str, Any] = {}
    for field, new in (("email", email), ("name", name), ("language", language)):
        if new is not None and new != getattr(person, field):
            details[field] = [getattr(person, field), new]
    if details:
        values = [new or old for new, old in ((email, person.email), (name, person.name), (language, person.language))]
        try:
            await connection.execute(ACCOUNTS["update_person"], person.id, *values)
        except asyncpg.UniqueViolationError as error:
            raise Problem(409, "Somebody has this e-mail address already.", code="email_taken") from error
        if "email" in details:  # what was sent to the former address must not open the account
            await connection.execute(ACCOUNTS["delete_links"], person.id, None)
    if grants is not None and grants != person.grants:
        await _store_grants(connection, person.id, grants)
        details["grants"] = [describe_grants(person.grants), describe_grants(grants)]
    action = "change"
    if locked is not None and locked != (person.locked_at is not None):
        await connection.execute(ACCOUNTS["set_lock"], person.id, locked)
        action = "lock" if locked else "unlock"
    if "grants" in details or action == "lock":
        await close_sessions(connection, person.id)
        await _check_administrators(connection, before=person)
    if action == "lock":
        await connection.execute(ACCOUNTS["delete_links"], person.id, None)
    if details or action != "change":
        await record(connection, actor, action, kind="person", id=person.id, details={"name": person.name, **details})
    return await _stored(connection, person.id)


async def remove_person(connection: Connection, actor: Actor, person: Person) -> None:
    """Delete a person with sessions, links and devices. Revisions and the audit log keep the name.

    Args:
        connection: In a transaction that began with `lock_people`.
        actor: Who removes it.
        person: As stored.

    Raises:
        Problem: 409 if nobody were left to administer the installation.
    """
    await connection.execute(ACCOUNTS["delete_person"], person.id)
    await _check_administrators(connection, before=person)
    details = {"name": person.name, "grants": describe_grants(person.grants)}
    await record(connection, actor, "remove", kind="person", id=person.id, details=details)


async def lock_people(connection: Connection) -> None:
    """Wait for other changes of people until the transaction ends."""
    await connection.execute(ACCOUNTS["lock_people"])


async def close_sessions(connection: Connection, person: str, *, except_session: int | None = None) -> int:
    """Close the sessions of a person, all or all except one, and return how many they were."""
    return len(await connection.fetch(ACCOUNTS["delete_sessions"], person, None, except_session))


async def _check_administrators(connection: Connection, before: Person) -> None:
    """Require that an administrator is left; one who can log in, unless the changed one could not either."""
    if before.is_administrator and before.locked_at is None:
        left = await connection.fetchval(ACCOUNTS["count_administrators"], before.can_log_in)
        if not left:
            detail = "This is the last administrator; make somebody else one first."
            raise Problem(409, detail, code="last_administrator")


async def _store_grants(connection: Connection, person: str, grants: frozenset[Grant]) -> None:
    await connection.execute(ACCOUNTS["delete_grants"], person)
    rows = sorted(grants)
    columns = [[getattr(grant, name) for grant in rows] for name in ("scope", "site", "section")]
    await connection.execute(ACCOUNTS["insert_grants"], person, *columns)


async def _stored(connection: Connection, person: str) -> Person:
    found = await find_person(connection, id=person)
    assert found is not None, "changed in this transaction"
    return found


def describe_grants(grants: Iterable[Grant]) -> list[str]:
    """Return grants as texts: `publish`, `write:haihau`, `write:haihau:tin-tuc`."""
    return [":".join(part for part in (one.scope, one.site, one.section) if part) for one in sorted(grants)]


def parse_grants(texts: Sequence[str]) -> list[Grant]:
    """Return the grants of texts as `describe_grants` writes them.

    Raises:
        ValueError: a text has more than three parts.
    """
    grants = []
    for text in texts:
        parts = text.strip().split(":")
        if len(parts) > 3:
            raise ValueError(f"{text!r} is not scope, scope:site or scope:site:section")
        grants.append(Grant(*parts))
    return grants
