"""The command line of a service: `presstally SERVICE [ROLE …]`, or one of its commands."""

import argparse
import asyncio
import errno
import logging
import select
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import asyncpg

from shared.kafka.config import KafkaConfig
from shared.late_imports import late
from shared.logs import configure_logs
from shared.postgres import POSTGRES_UNAVAILABLE, open_pool
from shared.process import run_service
from shared.role import RoleFactory
from shared.settings import Settings, SettingsError
from shared.sites import Sites, SitesError
from shared.sites_file import read_sites

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""
POSTGRES_SECONDS = 15.0
"""How long a command waits for Postgres."""
CLOSE_SECONDS = 5.0
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.EMFILE})
"""Of files, though the error may not name one. Other errors without a file's name are of connections."""
_Settings = TypeVar("_Settings", bound=Settings)
_kafka_errors = late("shared.kafka.connection", "client_errors")
_describe_kafka_error = late("shared.kafka.connection", "describe_error")


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
        examples: Arguments with which it is called, for its help.
    """

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Any], Coroutine[Any, Any, int | None]]
    uses: str = "Postgres"
    after_failure: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServiceCommandLine:
    """What a service offers on the command line.

    Attributes:
        service: The service's name.
        settings_type: Reads the environment.
        roles: By name.
        commands: By name.
        check: Raises SettingsError or SitesError if the settings do not fit the sites.
    """

    service: str
    settings_type: type[Settings]
    roles: Mapping[str, RoleFactory]
    commands: Mapping[str, Command]
    check: Callable[[Any, Sites], None] = lambda _settings, _sites: None

    def run(self, arguments: Sequence[str], program: str) -> int:
        """Run roles (all, if none is named) or a command, and return the exit code.

        Args:
            arguments: The words after the program.
            program: How the operator called it, for the help.
        """
        name = arguments[0] if arguments and arguments[0] in self.commands else None
        if name is None:
            wanted = self._parse_roles(arguments, program)
        else:
            parsed = self.command_parser(name, program).parse_args(list(arguments[1:]))
        try:
            settings = self.settings_type.load()
            self.check(settings, read_sites(settings.sites, settings.public_url))
        except (SettingsError, SitesError) as error:
            print(f"{self.service}: {error}", file=sys.stderr)
            return 1
        if name is None:
            return run_service(self.service, self.roles, settings, wanted, partial(self.check, settings))
        command = self.commands[name]
        return run_command(
            name,
            lambda: command.run(parsed, settings),
            kafka=settings.kafka,
            uses=command.uses,
            after_failure=command.after_failure,
        )

    def command_parser(self, name: str, program: str) -> argparse.ArgumentParser:
        """Return the parser of a command's arguments."""
        command = self.commands[name]
        examples = [f"  {program} {name} {one}".rstrip() for one in command.examples]
        parser = argparse.ArgumentParser(
            prog=f"{program} {name}",
            description=command.help,
            epilog="\n".join(["examples:", *examples]) if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(parser)
        return parser

    def overview(self) -> list[str]:
        """Return a line of help for each role and each command."""
        lines = [f"  {role:<12}{(start.__doc__ or '').splitlines()[0]}" for role, start in self.roles.items()]
        return lines + [f"  {name:<12}Command: {one.help}" for name, one in self.commands.items()]

    def _parse_roles(self, arguments: Sequence[str], program: str) -> list[str]:
        parser = argparse.ArgumentParser(
            prog=program,
            usage=f"{program} [ROLE ...]" + "".join(f" | {command} ..." for command in self.commands),
            description="\n".join(["Run all roles of the service, or those named.", "", *self.overview()]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("role", nargs="*", metavar="ROLE", help=argparse.SUPPRESS)
        wanted: list[str] = parser.parse_args(list(arguments)).role
        for role in wanted:
            if role not in self.roles:
                parser.error(f"unknown role {role!r}; choose from {', '.join([*self.roles, *self.commands])}")
        return wanted


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
    except (*_kafka_errors(), *POSTGRES_UNAVAILABLE) as error:
        if isinstance(error, BrokenPipeError) and _is_output_closed():
            raise
        if isinstance(error, OSError) and (error.filename is not None or error.errno in DISK_ERRORS):
            reason = str(error)
        elif isinstance(error, _kafka_errors()) or uses == "Kafka":
            reason = asyncio.run(_describe_kafka_error(kafka, error))
        else:
            reason = unreachable(uses, error)
        _print_failure(name, reason, after_failure)
    except KeyboardInterrupt:
        _print_failure(name, "interrupted", after_failure)
        return INTERRUPTED
    return 1


def _is_output_closed() -> bool:
    """Return whether nobody reads standard output any more: then a broken pipe is no connection to a store."""
    try:
        output = sys.stdout.fileno()
    except (OSError, ValueError):  # none, or not a file
        return False
    poll = select.poll()
    poll.register(output, 0)  # POLLERR is always told
    return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


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
