"""`presstally ingest webhooks list|dead|redeliver|enable`: what was not delivered, and sending it again."""

import argparse

import asyncpg

from services.ingest.queries import SQL
from services.ingest.settings import IngestSettings
from shared.cli import CommandError, open_command_pool

SHOWN_MAX = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|dead|redeliver|enable")
    verbs.add_parser("list", help="show all webhooks, without their secrets")
    for verb, text in {
        "dead": "show the events that were given up",
        "redeliver": "send them again",
        "enable": "enable a webhook again; what waits is sent",
    }.items():
        verbs.add_parser(verb, help=text).add_argument("webhook", help="its ID: wh_…")


async def run(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    """Run the command.

    Raises:
        CommandError: there is no such webhook.
    """
    async with open_command_pool(settings, role="presstally_ingest") as pool:
        if arguments.verb == "list":
            for row in await pool.fetch(SQL["list_webhooks"]):
                print(described(row))
            return
        webhook = await pool.fetchrow(SQL["webhook"], arguments.webhook)
        if webhook is None:
            raise CommandError(f"there is no webhook {arguments.webhook}; see: presstally ingest webhooks list")
        await {"dead": _dead, "redeliver": _redeliver, "enable": _enable}[arguments.verb](pool, webhook)


def described(row: asyncpg.Record) -> str:
    """Return a line about a webhook."""
    state = f"disabled: {row['disabled_reason']}" if row["disabled_at"] is not None else "enabled"
    sites = "all sites" if row["sites"] is None else " ".join(row["sites"])
    return f"{row['id']}  {row['url']}  {' '.join(row['events'])}  {sites}  {state}"


async def _dead(pool: asyncpg.Pool, webhook: asyncpg.Record) -> None:
    for row in await pool.fetch(SQL["list_deliveries"], webhook["id"], "dead", 2**63 - 1, SHOWN_MAX):
        print(
            f"{row['message']}  {row['event']}  {row['article']}  {row['ended_at']:%Y-%m-%d %H:%M}  "
            f"{row['last_result']}"
        )


async def _redeliver(pool: asyncpg.Pool, webhook: asyncpg.Record) -> None:
    queued = await pool.fetch(SQL["redeliver"], webhook["id"], None)
    print(f"{len(queued)} event(s) are sent again")


async def _enable(pool: asyncpg.Pool, webhook: asyncpg.Record) -> None:
    fields = [webhook[name] for name in ("id", "url", "description", "events", "sites")]
    await pool.execute(SQL["update_webhook"], *fields, None, None, None)
    print(f"{webhook['id']} is enabled")
