"""`presstally ingest person create|invite|reset|list|lock|unlock|remove`: people who log in, with or without mail.

No password is an argument: people set theirs by the link that is printed.
"""

import argparse
import getpass
import sys

import asyncpg

from services.ingest.auth.account_links import create_link
from services.ingest.auth.actors import Actor
from services.ingest.auth.audit import record
from services.ingest.auth.callers import Grant
from services.ingest.auth.people import (
    LANGUAGES,
    Person,
    change_person,
    check_grants,
    clean_name,
    close_sessions,
    create_person,
    describe_grants,
    find_person,
    list_people,
    lock_people,
    normalize_email,
    parse_grants,
    remove_person,
)
from services.ingest.content.errors import InvalidContentError
from services.ingest.queries import ACCOUNTS
from services.ingest.queries import STRUCTURE_SQL as QUERIES
from services.ingest.settings import IngestSettings
from shared.cli import CommandError, open_command_pool
from shared.http.problems import Problem
from shared.postgres import Connection
from shared.sites import Sites
from shared.sites_file import read_sites
from shared.structure_watch import StructureWatch

VERBS = "create|invite|reset|list|lock|unlock|remove"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar=VERBS)
    create = verbs.add_parser("create", help="create an account and print the link that sets its password")
    create.add_argument("--email", required=True, help="address with which the person logs in")
    create.add_argument("--name", required=True, help="the person's name, as revisions show it")
    create.add_argument("--admin", action="store_true", help="an administrator of the whole installation")
    create.add_argument(
        "--grant",
        action="append",
        default=[],
        metavar="SCOPE[:SITE[:SECTION]]",
        help="read, write, publish or admin, on a site or all, in a section or all; repeatable",
    )
    create.add_argument("--language", choices=LANGUAGES, default="vi", help="of mails; default: vi")
    for verb, help_text in (
        ("invite", "print a new invitation; the former one stops working"),
        ("reset", "print a link for a new password; --two-steps also switches two-step verification off"),
        ("lock", "close all sessions; the person cannot log in"),
        ("unlock", "let a locked person log in again"),
        ("remove", "delete the account; revisions keep the name"),
    ):
        one = verbs.add_parser(verb, help=help_text)
        one.add_argument("email", help="the person's address")
        if verb == "reset":
            one.add_argument(
                "--two-steps", action="store_true", help="for somebody who has lost the phone and all codes"
            )
    verbs.add_parser("list", help="show all people with their rights")
    for name in ("create", "invite", "reset"):
        verbs.choices[name].add_argument(
            "--origin", help="address of the newsroom; default: of the person's first site"
        )


async def run(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    """Run the command."""
    sites = read_sites(settings.sites, settings.public_url)
    try:
        async with open_command_pool(settings, role="presstally_ingest") as pool:
            if arguments.verb == "list":
                await _list(pool)
            else:
                await StructureWatch(pool, sites, QUERIES["structure_versions"], QUERIES["structures"]).refresh()
                async with pool.acquire() as connection, connection.transaction():
                    await lock_people(connection)
                    await _change(connection, arguments, sites)
    except InvalidContentError as error:
        raise CommandError(str(error)) from error
    except Problem as problem:
        raise CommandError(problem.detail) from problem


def _operator() -> Actor:
    try:
        return Actor(f"{getpass.getuser()} (command)")
    except (OSError, KeyError):  # an account without a name, as in containers
        return Actor("command")


async def _change(connection: Connection, arguments: argparse.Namespace, sites: Sites) -> None:
    actor = _operator()
    if arguments.verb == "create":
        person = await _create(connection, actor, arguments, sites)
        await _print_link(connection, actor, person, "invitation", arguments, sites)
        return
    found = await find_person(connection, email=normalize_email(arguments.email))
    if found is None:
        raise CommandError(f"nobody has the address {arguments.email!r}; see `person list`")
    person = found
    if arguments.verb in ("lock", "unlock"):
        await change_person(connection, actor, person, locked=arguments.verb == "lock")
        print(f"{arguments.verb}ed {person.name}", file=sys.stderr)
    elif arguments.verb == "remove":
        await remove_person(connection, actor, person)
        print(f"removed {person.name}", file=sys.stderr)
    else:
        if person.locked_at is not None:
            raise CommandError(f"{person.name} is locked; `person unlock` first")
        if arguments.verb == "reset" and arguments.two_steps:
            await connection.execute(ACCOUNTS["remove_totp"], person.id)
            await connection.execute(ACCOUNTS["delete_recovery_codes"], person.id)
            await close_sessions(connection, person.id)
            await record(connection, actor, "switch-off-two-steps", kind="person", id=person.id)
        purpose = "invitation" if arguments.verb == "invite" else "reset"
        await _print_link(connection, actor, person, purpose, arguments, sites)


async def _create(connection: Connection, actor: Actor, arguments: argparse.Namespace, sites: Sites) -> Person:
    try:
        given = parse_grants(arguments.grant)
    except (TypeError, ValueError) as error:
        raise CommandError(f"--grant: {error}") from error
    grants = check_grants([*given, *([Grant("admin")] if arguments.admin else [])], sites, "--grant")
    if not grants:
        raise CommandError("say what the person may do: --admin, or --grant SCOPE[:SITE[:SECTION]]")
    email, name = normalize_email(arguments.email, "--email"), clean_name(arguments.name, "--name")
    return await create_person(connection, actor, email=email, name=name, language=arguments.language, grants=grants)


async def _print_link(  # noqa: PLR0917 - the link
    connection: Connection, actor: Actor, person: Person, purpose: str, arguments: argparse.Namespace, sites: Sites
) -> None:
    slugs = [grant.site for grant in sorted(person.grants) if grant.site in sites]
    origin = arguments.origin or sites[slugs[0] if slugs else next(iter(sites))].url
    link = await create_link(connection, person.id, purpose, origin.rstrip("/"))
    await record(connection, actor, f"send-{purpose}", kind="person", id=person.id, details={"name": person.name})
    # Only the link goes to standard output.
    until = link.expires_at.astimezone().strftime("%Y-%m-%d %H:%M %Z")
    print(f"for {person.name}; it works once, until {until}:", file=sys.stderr)
    print(link.url)


async def _list(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as connection:
        people = await list_people(connection)
    lines = [("email", "name", "rights", "two steps", "last log-in", "state")]
    for person in people:
        is_open = person.has_password or person.has_identity
        state = "locked" if person.locked_at else "active" if is_open else "invited"
        last = person.logged_in_at.date().isoformat() if person.logged_in_at else "never"
        rights = ",".join(describe_grants(person.grants)) or "nothing"
        lines.append((person.email, person.name, rights, "on" if person.has_totp else "off", last, state))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
