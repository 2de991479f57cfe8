"""The command line of a service: `python -m services.SERVICE [ROLE …]`, or one of its commands."""

import argparse
import asyncio
import errno
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
from aiokafka.errors import KafkaError

from shared.kafka.connection import KafkaConfig
from shared.logs import configure_logs
from shared.postgres import POSTGRES_UNAVAILABLE, open_pool
from shared.process import run_service
from shared.role import RoleFactory
from shared.settings import Settings, SettingsError
from shared.sites import Sites, SitesError, read_sites

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""
POSTGRES_SECONDS = 15.0
"""How long a command waits for Postgres."""
CLOSE_SECONDS = 5.0
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.EMFILE})
"""Of files, though the error may not name one. Other errors without a file's name are of connections."""
_Settings = TypeVar("_Settings", bound=Settings)


class CommandError(Exception):
    """A command cannot do its work; the message is for the operator."""


@dataclass(frozen=True)
class Command:
    """An admin command of a service.

    Attributes:
        help: What it does, in one line.
        add_arguments: Declares its arguments.
        run: Does its work and returns the exit code; None means 0.
        uses: The stores that it connects to, for the message when one is unavailable.
        after_failure: What the operator may rely on, or do, after an unavailable store or Ctrl-C.
    """

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Any], Coroutine[Any, Any, int | None]]
    uses: str = "Postgres"
    after_failure: str = ""


def service_main(
    service: str,
    settings_type: type[Settings],
    roles: Mapping[str, RoleFactory],
    commands: Mapping[str, Command] | None = None,
    check: Callable[[Any, Sites], None] = lambda _settings, _sites: None,
) -> int:
    """Run roles (all, if none is named) or a command, and return the exit code.

    Args:
        service: The service's name.
        settings_type: Reads the environment.
        roles: By name.
        commands: By name.
        check: Raises SettingsError or SitesError if the settings do not fit the sites.
    """
    commands = commands or {}
    wanted = sys.argv[1:2]
    name = wanted[0] if wanted and wanted[0] in commands else None
    arguments = _parse(service, roles, commands, name)
    try:
        settings = settings_type.load()
        check(settings, read_sites(settings.sites))
    except (SettingsError, SitesError) as error:
        print(f"{service}: {error}", file=sys.stderr)
        return 1
    if name is None:
        return run_service(service, roles, settings, arguments.role)
    command = commands[name]
    return run_command(
        name,
        lambda: command.run(arguments, settings),
        kafka=settings.kafka,
        uses=command.uses,
        after_failure=command.after_failure,
    )


def module_main(
    name: str,
    settings_type: type[_Settings],
    work: Callable[[_Settings], Coroutine[Any, Any, int | None]],
    uses: str = "Postgres",
) -> int:
    """Read the settings, run a command that belongs to no service, and return the exit code."""
    try:
        settings = settings_type.load()
    except SettingsError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return run_command(name, lambda: work(settings), kafka=settings.kafka, uses=uses)


def run_command(
    name: str,
    work: Callable[[], Coroutine[Any, Any, int | None]],
    *,
    kafka: KafkaConfig,
    uses: str = "Postgres",
    after_failure: str = "",
) -> int:
    """Run a command's work and return the exit code. Its log is off: a failure is one line on standard error.

    Args:
        name: The command's name, which begins that line.
        work: The command's work; None as its result means 0.
        kafka: Describes what a Kafka client met.
        uses: The stores that the work connects to, for the message when one is unavailable.
        after_failure: What the operator may rely on, or do, after an unavailable store or Ctrl-C.
    """
    configure_logs(name, "critical")
    logging.disable()
    try:
        return asyncio.run(work()) or 0
    except CommandError as error:
        _print_failure(name, str(error))
    except (KafkaError, *POSTGRES_UNAVAILABLE) as error:
        if isinstance(error, OSError) and (error.filename is not None or error.errno in DISK_ERRORS):
            reason = str(error)
        elif isinstance(error, KafkaError) or uses == "Kafka":
            reason = asyncio.run(kafka.describe_error(error))
        else:
            reason = unreachable(uses, error)
        _print_failure(name, reason, after_failure)
    except KeyboardInterrupt:
        _print_failure(name, "interrupted", after_failure)
        return INTERRUPTED
    return 1


def _print_failure(name: str, *parts: str) -> None:
    print(f"{name}: {'; '.join(part for part in parts if part)}", file=sys.stderr)


def unreachable(store: str, error: BaseException | str) -> str:
    """Return the message for a store that cannot be reached."""
    if isinstance(error, BaseException):
        error = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"cannot reach {store}: {error}"


@asynccontextmanager
async def open_command_pool(
    settings: Settings, *, role: str, size: int = 1, statement_timeout_seconds: float = 10
) -> AsyncIterator[asyncpg.Pool]:
    """Yield a pool for a command, which does not wait for Postgres longer than POSTGRES_SECONDS.

    Raises:
        CommandError: Postgres cannot be reached.
    """
    reason: str | None = None

    def note(waiting_reason: str | None) -> None:
        nonlocal reason
        reason = waiting_reason

    try:
        async with asyncio.timeout(POSTGRES_SECONDS):
            pool = await open_pool(
                settings.database_url.get_secret_value(),
                role=role,
                size=size,
                statement_timeout_seconds=statement_timeout_seconds,
                on_waiting=note,
            )
    except TimeoutError:
        raise CommandError(unreachable("Postgres", reason or f"no connection within {POSTGRES_SECONDS:g} s")) from None
    except asyncpg.PostgresError as error:
        raise CommandError(unreachable("Postgres", error)) from error
    try:
        yield pool
    finally:
        await _close(pool.close())
        pool.terminate()


async def _close(closing: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await closing
    except TimeoutError:
        pass


def _parse(
    service: str, roles: Mapping[str, RoleFactory], commands: Mapping[str, Command], name: str | None
) -> argparse.Namespace:
    program = f"python -m services.{service}"
    if name is not None:
        parser = argparse.ArgumentParser(prog=f"{program} {name}", description=commands[name].help)
        commands[name].add_arguments(parser)
        return parser.parse_args(sys.argv[2:])
    lines = [f"  {role:<12}{(start.__doc__ or '').splitlines()[0]}" for role, start in roles.items()]
    lines += [f"  {command:<12}Command: {one.help}" for command, one in commands.items()]
    parser = argparse.ArgumentParser(
        prog=program,
        usage=f"{program} [ROLE ...]" + "".join(f" | {command} ..." for command in commands),
        description="\n".join(["Run all roles of the service, or those named.", "", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", nargs="*", metavar="ROLE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    for role in arguments.role:
        if role not in roles:
            parser.error(f"unknown role {role!r}; choose from {', '.join([*roles, *commands])}")
    return arguments
