"""`presstally ingest [collector|articles|newsroom …]`, or a command.

Roles and commands are imported when they run: the collector needs neither the editor API nor the import readers, and
would take 25 MB more with them.
"""

import argparse
import sys

from services.ingest.settings import IngestSettings
from shared.cli import Command, ServiceCommandLine
from shared.role import LazyRole
from shared.sites import Sites

ROLES = {
    "collector": LazyRole("services.ingest.roles.collector", "run_collector", "Run the collector of page views."),
    "articles": LazyRole("services.ingest.roles.articles", "run_articles", "Run the editor API and what publishes."),
    "newsroom": LazyRole("services.ingest.roles.newsroom", "run_newsroom", "Run the pages where editors work."),
}


def _add_import_arguments(parser: argparse.ArgumentParser) -> None:
    from services.ingest.imports import command

    command.add_arguments(parser)


async def _run_import(arguments: argparse.Namespace, settings: IngestSettings) -> int:
    from services.ingest.imports import command

    return await command.run(arguments, settings)


def _add_media_arguments(parser: argparse.ArgumentParser) -> None:
    from services.ingest.media import command

    command.add_arguments(parser)


async def _run_media(arguments: argparse.Namespace, settings: IngestSettings) -> int:
    from services.ingest.media import command

    return await command.run(arguments, settings)


def _add_own_traffic_arguments(parser: argparse.ArgumentParser) -> None:
    from services.ingest.collector import own_traffic_command

    own_traffic_command.add_arguments(parser)


async def _run_own_traffic(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    from services.ingest.collector import own_traffic_command

    await own_traffic_command.run(arguments, settings)


def _add_partitions_arguments(parser: argparse.ArgumentParser) -> None:
    from services.ingest.collector import partitions_command

    partitions_command.add_arguments(parser)


async def _run_partitions(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    from services.ingest.collector import partitions_command

    await partitions_command.run(arguments, settings)


def _add_republish_arguments(parser: argparse.ArgumentParser) -> None:
    from services.ingest.articles import republish_command

    republish_command.add_arguments(parser)


async def _run_republish(arguments: argparse.Namespace, settings: IngestSettings) -> int:
    from services.ingest.articles import republish_command

    return await republish_command.run(arguments, settings)


def _add_token_arguments(parser: argparse.ArgumentParser) -> None:
    from services.ingest.auth import token_command

    token_command.add_arguments(parser)


async def _run_token(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    from services.ingest.auth import token_command

    await token_command.run(arguments, settings)


def _add_webhooks_arguments(parser: argparse.ArgumentParser) -> None:
    from services.ingest.webhooks import command

    command.add_arguments(parser)


async def _run_webhooks(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    from services.ingest.webhooks import command

    await command.run(arguments, settings)


def _add_person_arguments(parser: argparse.ArgumentParser) -> None:
    from services.ingest.auth import person_command

    person_command.add_arguments(parser)


async def _run_person(arguments: argparse.Namespace, settings: IngestSettings) -> None:
    from services.ingest.auth import person_command

    await person_command.run(arguments, settings)


def _check(settings: IngestSettings, sites: Sites) -> None:
    """Check the settings of accounts. The collector, which has none, need not import what reads them."""
    texts = (settings.mail_from, settings.oidc_issuer, settings.oidc_client_id, settings.oidc_grants)
    if any(texts) or settings.smtp_url.get_secret_value() or settings.oidc_client_secret.get_secret_value():
        from services.ingest.auth.account_settings import read_account_settings

        read_account_settings(settings, sites)


COMMANDS = {
    "import": Command(
        "import saved pages, feeds and exports as articles",
        _add_import_arguments,
        _run_import,
        after_failure="run it again; it continues where it stopped",
        examples=(
            "--site haihau --section tin-tuc page.txt",
            "--site haihau --section tin-tuc --dry-run --report report.ndjson wordpress.xml",
            "--site haihau --section tin-tuc --publish --fetch-images wordpress.xml",
            "--site haihau --section tin-tuc --with-counter --publish saved-pages/",
        ),
    ),
    "media": Command(
        "cut the crops of images that were uploaded before crops were made",
        _add_media_arguments,
        _run_media,
        after_failure="run it again; what is cropped already stays as it is",
        examples=("crop", "crop --site haihau"),
    ),
    "own-traffic-link": Command(
        "make a link with which staff take their browser out of the numbers of people",
        _add_own_traffic_arguments,
        _run_own_traffic,
        examples=("--site haihau", "--site haihau --days 30"),
    ),
    "partitions": Command(
        "show or raise the number of partitions of page-views that are in use",
        _add_partitions_arguments,
        _run_partitions,
        uses="Kafka or Postgres",
        after_failure="run it again; what is done already is not done twice",
        examples=("show", "add 16", "add 16 --at 2026-12-01T00:00+07:00"),
    ),
    "person": Command(
        "invite, list, lock and unlock people who log in",
        _add_person_arguments,
        _run_person,
        examples=(
            "create --admin --email lan@haihau.example --name 'Trần Thị Lan'",
            "create --grant publish:haihau:tin-tuc --email nam@haihau.example --name 'Lê Nam'",
            "reset nam@haihau.example",
            "list",
            "lock nam@haihau.example",
        ),
    ),
    "republish": Command(
        "compare Postgres with Kafka's topics: send again what they lack, and take over what Postgres lacks",
        _add_republish_arguments,
        _run_republish,
        uses="Kafka or Postgres",
        after_failure="run it again; what was sent is not sent twice",
        examples=("", "--after-restore"),
    ),
    "token": Command(
        "create, list and revoke bearer tokens",
        _add_token_arguments,
        _run_token,
        examples=("create --name Lan --scope write --site haihau", "list", "revoke 5f2c81aa"),
    ),
    "webhooks": Command(
        "show webhooks and events that were given up, and send them again",
        _add_webhooks_arguments,
        _run_webhooks,
        examples=("list", "dead wh_0f6c", "redeliver wh_0f6c", "enable wh_0f6c"),
    ),
}
COMMAND_LINE = ServiceCommandLine("ingest", IngestSettings, ROLES, COMMANDS, _check)

if __name__ == "__main__":
    sys.exit(COMMAND_LINE.run(sys.argv[1:], "python -m services.ingest"))
