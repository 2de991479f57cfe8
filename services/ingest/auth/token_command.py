"""`presstally ingest token create|list|revoke`: manage bearer tokens."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from services.ingest.auth import tokens
from services.ingest.auth.callers import SCOPES
from services.ingest.queries import SQL
from services.ingest.settings import IngestSettings
from shared.cli import CommandError, open_command_pool
from shared.sites import Sites
from shared.sites_file import read_sites

NAME_CHARACTERS_MAX = 150
DAYS = 365


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="create|list|revoke")
    create = verbs.add_parser("create", help="create a token and print it; it is not shown again")
    create.add_argument("--name", required=True, help="the holder: a person or a program")
    create.add_argument(
        "--scope",
        required=True,
        action="append",
        help=f"one of {', '.join(SCOPES)}; several with commas. write includes read, publish includes write, "
        "admin includes all; events is for /e/batch",
    )
    create.add_argument("--site", action="append", help="a site that it may access; repeatable; default: all")
    create.add_argument(
        "--expires", type=_expiry, default=str(DAYS), metavar="DAYS|DATE|never", help=f"default: {DAYS} days"
    )
    verbs.add_parser("list", help="show all tokens, without their secrets")
    revoke = verbs.add_parser("revoke", help="revoke a token; takes effect within 60 s")
    revoke.add_argument("prefix", help="the 8 digits after pt_, or the whole token")


def _expiry(text: str) -> datetime | None:
    if text == "never":
        return None
    now = datetime.now(UTC)
    try:
        at = now + timedelta(days=int(text)) if text.isdecimal() else datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is neither days, nor a date like 2027-01-31, nor never") from error
    if at <= now:
        raise argparse.ArgumentTypeError(f"{text} is in the past")
    return at


async def run(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    """Run the command."""
    if arguments.verb == "create":
        _check(arguments, read_sites(settings.sites, settings.public_url))
    async with open_command_pool(settings, role="presstally_ingest") as pool:
        await {"create": _create, "list": _list, "revoke": _revoke}[arguments.verb](pool, arguments)


def _scopes(given: Sequence[str]) -> list[str]:
    return sorted({scope.strip() for one in given for scope in one.split(",")})


def _check(arguments: argparse.Namespace, sites: Sites) -> None:
    for scope in _scopes(arguments.scope):
        if scope not in SCOPES:
            raise CommandError(f"unknown scope {scope!r}; choose from {', '.join(SCOPES)}")
    for site in arguments.site or ():
        if site not in sites:
            raise CommandError(f"unknown site {site!r}; choose from {', '.join(sites)}")
    if not arguments.name.strip() or len(arguments.name) > NAME_CHARACTERS_MAX or "\0" in arguments.name:
        raise CommandError(f"--name must have 1 to {NAME_CHARACTERS_MAX} characters")


async def _create(pool: asyncpg.Pool, arguments: argparse.Namespace) -> None:
    token = await tokens.create(
        pool,
        name=arguments.name.strip(),
        scopes=_scopes(arguments.scope),
        sites=arguments.site,
        expires_at=arguments.expires,
    )
    # Only the token goes to standard output, for TOKEN=$(…).
    until = arguments.expires.date() if arguments.expires else "revoked"
    print(f"valid until {until}; it is not shown again:", file=sys.stderr)
    print(token)


async def _list(pool: asyncpg.Pool, arguments: argparse.Namespace) -> None:
    lines = [("prefix", "name", "scopes", "sites", "created", "last used", "state")]
    for row in await pool.fetch(SQL["list_tokens"]):
        day = {name: row[name].date().isoformat() if row[name] else "never" for name in ("created_at", "used_at")}
        sites = "all" if row["sites"] is None else ",".join(row["sites"])
        scopes = ",".join(row["scopes"])
        lines.append((row["prefix"], row["name"], scopes, sites, day["created_at"], day["used_at"], _state(row)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _state(row: asyncpg.Record) -> str:
    if row["revoked_at"] is not None:
        return f"revoked {row['revoked_at'].date()}"
    if row["expires_at"] is None:
        return "valid"
    return f"{'valid until' if row['expires_at'] > datetime.now(UTC) else 'expired'} {row['expires_at'].date()}"


async def _revoke(pool: asyncpg.Pool, arguments: argparse.Namespace) -> None:
    prefix = arguments.prefix.removeprefix("pt_")[:8]
    name = await pool.fetchval(SQL["revoke_token"], prefix)
    if name is None:
        raise CommandError(f"unknown token {'pt_' + prefix!r}; see `token list`")
    print(f"revoked {prefix} of {name}; takes effect within 60 s")
