"""Which person an identity at the OpenID Connect provider is."""

from services.ingest.auth.actors import Actor
from services.ingest.auth.audit import record
from services.ingest.auth.callers import Grant
from services.ingest.auth.oidc import Identity, ProviderConfig
from services.ingest.auth.people import (
    NAME_CHARACTERS_MAX,
    Person,
    change_person,
    clean_name,
    create_person,
    describe_grants,
    find_person,
    grant_errors,
    lock_people,
    normalize_email,
)
from services.ingest.content.errors import InvalidContentError
from services.ingest.queries import ACCOUNTS
from shared.http.problems import Problem
from shared.logs import log
from shared.postgres import Connection
from shared.sites import Sites

PROVIDER = Actor("OpenID Connect")


async def person_of_identity(
    connection: Connection, identity: Identity, config: ProviderConfig, sites: Sites
) -> Person:
    """Return the person of an identity, bound at the first log-in by the address that the provider has verified.

    Somebody who was not invited becomes a person if a value of the configured claim gives rights. The claim decides
    these people's rights at each log-in.

    Args:
        connection: In a transaction.
        identity: As the provider has sent it.
        config: The provider.
        sites: The installation's sites.

    Raises:
        Problem: 403 if the identity is nobody's.
    """
    await lock_people(connection)
    granted = _existing_grants(config.grants_of(identity.values), sites)
    known = await connection.fetchval(ACCOUNTS["person_of_identity"], identity.issuer, identity.subject)
    if known is not None:
        person = await find_person(connection, id=known)
        assert person is not None, "identities are deleted with their person"
        if person.from_provider and person.locked_at is None:
            person = await change_person(connection, PROVIDER, person, grants=granted)
    else:
        person = await _bind(connection, identity, granted)
    return person


def _existing_grants(given: frozenset[Grant], sites: Sites) -> frozenset[Grant]:
    """Return the grants whose site and section exist: the settings may name a section that was removed since."""
    existing = frozenset(grant for grant in given if not grant_errors(grant, sites, "grants"))
    if dropped := given - existing:
        log.warning("rights of the provider's claim are dropped", unknown=describe_grants(dropped))
    return existing


def check_may_log_in(person: Person) -> None:
    """Require that a person is not locked, and has rights if only the provider's claim gives them.

    Raises:
        Problem: 403.
    """
    if person.locked_at is not None:
        raise Problem(403, "The account is locked; ask an administrator.", code="account_locked")
    if person.from_provider and not person.grants:
        raise _not_invited()


async def _bind(connection: Connection, identity: Identity, granted: frozenset[Grant]) -> Person:
    if identity.email is None:
        detail = "The provider has not verified an e-mail address of this account."
        raise Problem(403, detail, code="unverified_email")
    try:
        email = normalize_email(identity.email)
    except InvalidContentError as error:
        raise Problem(403, "The provider's e-mail address cannot be used here.", code="unverified_email") from error
    person = await find_person(connection, email=email)
    if person is None:
        if not granted:
            raise _not_invited()
        person = await create_person(
            connection,
            PROVIDER,
            email=email,
            name=_name(identity, email),
            language="vi",
            grants=granted,
            from_provider=True,
        )
    bound = await connection.fetchval(ACCOUNTS["bind_identity"], identity.issuer, identity.subject, person.id)
    if bound is None:
        detail = "The person with this e-mail address logs in with another account of the provider."
        raise Problem(403, detail, code="identity_conflict")
    await record(
        connection, PROVIDER, "bind-identity", kind="person", id=person.id, details={"issuer": identity.issuer}
    )
    found = await find_person(connection, id=person.id)
    assert found is not None, "bound in this transaction"
    return found


def _name(identity: Identity, email: str) -> str:
    try:
        return clean_name(identity.name[:NAME_CHARACTERS_MAX])
    except InvalidContentError:
        return email.partition("@")[0]


def _not_invited() -> Problem:
    return Problem(403, "You are not invited to this newsroom; ask an administrator.", code="not_invited")
