"""`/api/people`: the accounts of people, for administrators of the sites on which these may act."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.account_schemas import InvitedPerson, PersonList, PersonShown, shown_grants
from services.ingest.api.dependencies import AdminCaller, ApiContext, ApiContextDep
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.auth.audit import record
from services.ingest.auth.callers import Caller, Grant
from services.ingest.auth.people import (
    GRANTS_MAX,
    LANGUAGES,
    Person,
    administers,
    change_person,
    check_grants,
    clean_name,
    close_sessions,
    create_person,
    find_person,
    list_people,
    lock_people,
    normalize_email,
    remove_person,
)
from services.ingest.auth.sessions import current_caller
from services.ingest.content.errors import invalid
from services.ingest.queries import ACCOUNTS
from shared.http.problems import Problem
from shared.postgres import Connection

router = APIRouter(tags=["People"])
PersonId = Annotated[str, Path(max_length=200, description="ID of the person")]


class GrantIn(BaseModel):
    """A scope on a site, or on all, and there in one section, or in all."""

    model_config = ConfigDict(extra="forbid")

    scope: str = Field(max_length=20, description="read, write, publish or admin")
    site: str | None = Field(None, max_length=60, description="null: all sites")
    section: str | None = Field(None, max_length=60, description="null: all sections of the site")


class PersonIn(BaseModel):
    """A person to invite."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "email": "lan@haihau.example",
                    "name": "Trần Thị Lan",
                    "grants": [{"scope": "publish", "site": "haihau", "section": "tin-tuc"}],
                }
            ]
        },
    )

    email: str = Field(max_length=254)
    name: str = Field(max_length=300)
    language: str = Field("vi", max_length=2, description="of mails: vi or en")
    grants: list[GrantIn] = Field(default_factory=list, max_length=GRANTS_MAX)


class PersonPatch(BaseModel):
    """What changes; what is omitted stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"locked": True}]})

    email: str | None = Field(None, max_length=254)
    name: str | None = Field(None, max_length=300)
    language: str | None = Field(None, max_length=2)
    grants: list[GrantIn] | None = Field(None, max_length=GRANTS_MAX, description="replaces all; closes the sessions")
    locked: bool | None = Field(None, description="a locked person cannot log in; the sessions are closed")


def shown(person: Person) -> PersonShown:
    """Return a person as the API shows one."""
    is_open = person.has_password or person.has_identity
    state = "locked" if person.locked_at is not None else "active" if is_open else "invited"
    return PersonShown(
        person.id,
        person.email,
        person.name,
        person.language,
        state,
        shown_grants(person.grants),
        person.has_totp,
        person.has_identity,
        person.created_at,
        person.logged_in_at,
        person.invited_until,
    )


def _grants(context: ApiContext, caller: Caller, sent: list[GrantIn]) -> frozenset[Grant]:
    """Return checked grants, none beyond the caller's own.

    Raises:
        InvalidContentError: a scope, site or section is unknown.
        Problem: 403 if the caller is not admin on all their sites.
    """
    given = [Grant(one.scope, one.site or "", one.section or "") for one in sent]
    if not administers(caller, given):
        raise Problem(403, "You can give rights only on sites that you administer as a whole.", code="not_your_people")
    return check_grants(given, context.sites)


def _language(text: str | None) -> str | None:
    if text is not None and text not in LANGUAGES:
        raise invalid("language", "not_one_of", expected=", ".join(LANGUAGES))
    return text


async def _load(connection: Connection, caller: Caller, person_id: str) -> Person:
    """Return a person whom the caller administers.

    Raises:
        Problem: 404 if there is none.
    """
    person = await find_person(connection, id=person_id)
    if person is None or not administers(caller, person.grants):
        raise Problem(404, "Person not found.", code="not_found")
    return person


@asynccontextmanager
async def _changing(context: ApiContext, caller: Caller) -> AsyncIterator[tuple[Connection, Caller]]:
    """Begin a change of people: a transaction, and the caller with the rights that it has once nobody else changes any.

    Raises:
        Problem: 401 if the caller's session was closed meanwhile, 403 if the caller administers nothing any more.
    """
    async with context.pool.acquire() as connection, connection.transaction():
        await lock_people(connection)
        caller = await current_caller(connection, caller)
        caller.check("admin")
        yield connection, caller


def _check_not_own(caller: Caller, person: Person) -> None:
    """Require that a change of credentials is not of the caller's own: a session alone, as thieves have, is not enough.

    Raises:
        Problem: 403.
    """
    if person.id == caller.id:
        detail = (
            "Change your own address, password and two-step verification at /api/me, with the current password; "
            "if you have forgotten it: POST /api/password-resets, or presstally ingest person reset."
        )
        raise Problem(403, detail, code="own_password_required")


def _origin(request: Request, context: ApiContext, person: Person) -> str:
    """Return the origin where a link for a person leads: the page's own, or that of the person's first site."""
    if context.authentication.session(request) is not None:
        return context.authentication.origin(request).origin
    slugs = [grant.site for grant in sorted(person.grants) if grant.site in context.sites]
    return context.sites[slugs[0] if slugs else next(iter(context.sites))].url


async def _send_link(  # noqa: PLR0917 - the parts of the request
    request: Request, context: ApiContext, connection: Connection, caller: Caller, person: Person, purpose: str
) -> InvitedPerson:
    link = await context.accounts.mail_link(
        connection,
        purpose,
        person=person.id,
        email=person.email,
        name=person.name,
        language=person.language,
        origin=_origin(request, context, person),
        by=caller.name,
    )
    url = None if context.accounts.mailer.is_configured else link.url
    return InvitedPerson(shown(person), link.expires_at, url)


@router.get("/people", summary="List people", responses=response_docs(200, PersonList, problems=(403,)))
async def get_people(context: ApiContextDep, caller: AdminCaller) -> Response:
    """Return the people all of whose rights are on sites that the caller administers, by name."""
    async with context.pool.acquire() as connection:
        people = await list_people(connection)
    return json_response(PersonList([shown(one) for one in people if administers(caller, one.grants)]))


@router.post(
    "/people",
    status_code=201,
    summary="Invite a person",
    responses=response_docs(201, InvitedPerson, problems=(403, 409)),
)
async def invite_person(request: Request, context: ApiContextDep, caller: AdminCaller, sent: PersonIn) -> Response:
    """Create an account and send its invitation; without a mail server its link is in the response."""
    email, name, language = normalize_email(sent.email), clean_name(sent.name), _language(sent.language) or "vi"
    async with _changing(context, caller) as (connection, admin):
        grants = _grants(context, admin, sent.grants)
        person = await create_person(connection, admin.actor, email=email, name=name, language=language, grants=grants)
        made = await _send_link(request, context, connection, admin, person, "invitation")
    return json_response(made, 201, {"location": f"/api/people/{person.id}"})


@router.get(
    "/people/{person_id}", summary="Read a person", responses=response_docs(200, PersonShown, problems=(403, 404))
)
async def get_person(context: ApiContextDep, caller: AdminCaller, person_id: PersonId) -> Response:
    """Return a person whom the caller administers."""
    async with context.pool.acquire() as connection:
        return json_response(shown(await _load(connection, caller, person_id)))


@router.patch(
    "/people/{person_id}",
    summary="Change a person",
    responses=response_docs(200, PersonShown, problems=(403, 404, 409)),
)
async def patch_person(context: ApiContextDep, caller: AdminCaller, person_id: PersonId, sent: PersonPatch) -> Response:
    """Change name, address, rights or lock. New rights and a lock close the person's sessions at once.

    Of the own account only name and language change here: the address at `/api/me`, rights by another administrator.
    """
    email = None if sent.email is None else normalize_email(sent.email)
    name = None if sent.name is None else clean_name(sent.name)
    if person_id == caller.id and sent.locked:
        raise Problem(409, "You cannot lock yourself.", code="own_account")
    async with _changing(context, caller) as (connection, admin):
        grants = None if sent.grants is None else _grants(context, admin, sent.grants)
        person = await _load(connection, admin, person_id)
        if email not in (None, person.email):
            _check_not_own(admin, person)
        if grants not in (None, person.grants) and person.id == admin.id:
            raise Problem(409, "Another administrator changes your rights.", code="own_account")
        changed = await change_person(
            connection,
            admin.actor,
            person,
            email=email,
            name=name,
            language=_language(sent.language),
            grants=grants,
            locked=sent.locked,
        )
    if changed.email != person.email:
        context.accounts.mail_change("email", email=person.email, name=person.name, language=person.language)
    return json_response(shown(changed))


@router.delete(
    "/people/{person_id}",
    status_code=204,
    summary="Remove a person",
    responses=response_docs(204, problems=(403, 404, 409)),
)
async def delete_person(context: ApiContextDep, caller: AdminCaller, person_id: PersonId) -> Response:
    """Delete an account with its sessions. What the person did keeps the name."""
    if person_id == caller.id:
        raise Problem(409, "You cannot remove yourself.", code="own_account")
    async with _changing(context, caller) as (connection, admin):
        await remove_person(connection, admin.actor, await _load(connection, admin, person_id))
    return Response(status_code=204)


def _add_link_route(path: str, purpose: str, summary: str) -> None:
    async def send_link(request: Request, context: ApiContextDep, caller: AdminCaller, person_id: PersonId) -> Response:
        async with _changing(context, caller) as (connection, admin):
            person = await _load(connection, admin, person_id)
            _check_not_own(admin, person)
            if person.locked_at is not None:
                raise Problem(409, "The account is locked; unlock it first.", code="account_locked")
            made = await _send_link(request, context, connection, admin, person, purpose)
            await record(
                connection, admin.actor, f"send-{purpose}", kind="person", id=person.id, details={"name": person.name}
            )
        return json_response(made, 201)

    router.add_api_route(
        f"/people/{{person_id}}/{path}",
        send_link,
        methods=["POST"],
        status_code=201,
        operation_id=f"send_{purpose}",
        summary=summary,
        description="Former links of this kind stop working. Without a mail server the link is in the response. "
        "Not for the own account.",
        responses=response_docs(201, InvitedPerson, problems=(403, 404, 409)),
    )


_add_link_route("invitation", "invitation", "Send the invitation again")
_add_link_route("password-reset", "reset", "Send a link for a new password")


@router.delete(
    "/people/{person_id}/totp",
    status_code=204,
    summary="Switch off a person's two-step verification",
    responses=response_docs(204, problems=(403, 404)),
)
async def delete_person_totp(context: ApiContextDep, caller: AdminCaller, person_id: PersonId) -> Response:
    """For somebody who has lost phone and recovery codes. The sessions are closed."""
    async with _changing(context, caller) as (connection, admin):
        person = await _load(connection, admin, person_id)
        _check_not_own(admin, person)
        await connection.execute(ACCOUNTS["remove_totp"], person.id)
        await connection.execute(ACCOUNTS["delete_recovery_codes"], person.id)
        await close_sessions(connection, person.id)
        details = {"name": person.name}
        await record(connection, admin.actor, "switch-off-two-steps", kind="person", id=person.id, details=details)
    context.accounts.mail_change("totp_off", email=person.email, name=person.name, language=person.language)
    return Response(status_code=204)


@router.delete(
    "/people/{person_id}/sessions",
    status_code=204,
    summary="Close a person's sessions",
    responses=response_docs(204, problems=(403, 404)),
)
async def delete_person_sessions(context: ApiContextDep, caller: AdminCaller, person_id: PersonId) -> Response:
    """Close all sessions of a person and forget the browsers, such as those of a lost computer."""
    async with _changing(context, caller) as (connection, admin):
        person = await _load(connection, admin, person_id)
        count = await close_sessions(connection, person.id)
        await connection.execute(ACCOUNTS["delete_devices"], person.id)
        details = {"name": person.name, "count": count}
        await record(connection, admin.actor, "close-sessions", kind="person", id=person.id, details=details)
    return Response(status_code=204)
