"""The command line: the exit codes and messages that all commands share."""

import argparse
import asyncio
import logging
import os
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from aiokafka.errors import KafkaTimeoutError, NoBrokersAvailable

from shared.cli import Command, CommandError, ServiceCommandLine, open_command_pool, run_command
from shared.kafka.config import KafkaConfig
from shared.role import Role
from shared.settings import Settings

NOBODY = "127.0.0.1:1"
KAFKA = KafkaConfig(NOBODY)
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _logging_is_restored() -> Iterator[None]:
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    logging.disable(logging.NOTSET)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def failing(error: BaseException) -> Any:
    async def work() -> int | None:
        raise error

    return work


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1), (3, 3)])
def test_run_command_returns_the_exit_code_of_the_work(result: int | None, code: int) -> None:
    """Work that returns nothing is a success; a number is the exit code."""

    async def work() -> int | None:
        return result

    assert run_command("count", work, kafka=KAFKA) == code


@pytest.mark.parametrize(
    ("error", "uses", "message"),
    [
        (CommandError("--site is required"), "Postgres", "--site is required"),
        (
            ConnectionRefusedError(111, "refused"),
            "Postgres",
            "cannot reach Postgres: ConnectionRefusedError: [Errno 111",
        ),
        (TimeoutError(), "Postgres", "cannot reach Postgres: TimeoutError; run it again"),
        (asyncpg.CannotConnectNowError("starting up"), "Postgres or Kafka", "cannot reach Postgres or Kafka: CannotC"),
        (KafkaTimeoutError(), "Postgres", f"Kafka at {NOBODY}: KafkaTimeoutError(); run it again"),
        (TimeoutError(), "Kafka", f"Kafka at {NOBODY}: TimeoutError(); run it again"),
        (FileNotFoundError(2, "No such file", "a.txt"), "Postgres", "[Errno 2] No such file: 'a.txt'; run it again"),
        (OSError(28, "No space left on device"), "Postgres", "[Errno 28] No space left on device; run it again"),
    ],
)
def test_run_command_prints_one_line_and_fails(
    error: Exception, uses: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What prevents the work is one line on standard error, named after the command, and exit code 1."""
    assert run_command("count", failing(error), kafka=KAFKA, uses=uses, after_failure="run it again") == 1
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith(f"count: {message}")


def test_run_command_diagnoses_an_unreachable_kafka(capsys: pytest.CaptureFixture[str]) -> None:
    """Aiokafka says only that there is no broker; the message says what is in the way."""
    assert run_command("count", failing(NoBrokersAvailable()), kafka=KAFKA) == 1
    assert f"Kafka at {NOBODY}" in capsys.readouterr().err


def test_closed_output_is_not_taken_for_a_lost_store(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe that nobody reads ends the program in silence; a broken connection is reported."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as output:
        monkeypatch.setattr("sys.stdout", output)
        assert run_command("count", failing(BrokenPipeError(32, "Broken pipe")), kafka=KAFKA) == 1
        assert "cannot reach Postgres" in capsys.readouterr().err
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            run_command("count", failing(BrokenPipeError(32, "Broken pipe")), kafka=KAFKA)
    assert capsys.readouterr().err == ""


def test_run_command_after_an_interrupt_returns_130(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C is no traceback: the exit code is 130, and the line says how to go on."""
    assert run_command("count", failing(KeyboardInterrupt()), kafka=KAFKA, after_failure="run it again") == 130
    assert capsys.readouterr().err == "count: interrupted; run it again\n"


def test_run_command_raises_programming_errors() -> None:
    """An error that nobody expects keeps its traceback."""
    with pytest.raises(ZeroDivisionError):
        run_command("count", failing(ZeroDivisionError()), kafka=KAFKA)


def test_run_command_is_silent_beside_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Libraries' log lines do not reach the terminal."""

    async def work() -> None:
        logging.getLogger("aiokafka").error("Unable connect")

    assert run_command("count", work, kafka=KAFKA) == 0
    assert capsys.readouterr() == ("", "")


async def test_command_pool_without_postgres_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command gives up on Postgres after a bounded time, with the last reason."""
    monkeypatch.setattr("shared.cli.POSTGRES_SECONDS", 0.3)
    settings = Settings(kafka_bootstrap=NOBODY, database_url=f"postgresql://u:x@{NOBODY}/x")
    with pytest.raises(CommandError, match="cannot reach Postgres: ConnectionRefusedError"):
        async with open_command_pool(settings, role="presstally_stats"):
            pass


async def test_command_pool_acts_as_its_role_and_is_closed(database: str) -> None:
    """The pool's connections have the service's role; at the end they are closed, after an error too."""
    settings = Settings(kafka_bootstrap=NOBODY, database_url=database)
    pools = []

    async def work() -> None:
        async with open_command_pool(settings, role="presstally_stats") as pool:
            pools.append(pool)
            assert await pool.fetchval("SELECT current_user") == "presstally_stats"
            raise CommandError("stop")

    with pytest.raises(CommandError, match="stop"):
        await work()
    assert pools[0].is_closing()


async def test_command_pool_with_a_wrong_login_fails_at_once(database: str) -> None:
    """A database that does not exist is reported without waiting."""
    settings = Settings(kafka_bootstrap=NOBODY, database_url=f"{database}-missing")
    async with asyncio.timeout(60):
        with pytest.raises(CommandError, match="cannot reach Postgres: InvalidCatalogNameError"):
            async with open_command_pool(settings, role="presstally_stats"):
                pass


@asynccontextmanager
async def run_nothing(settings: Settings, process: Any) -> Any:
    """Does nothing."""
    yield Role("nothing")


def main(monkeypatch: pytest.MonkeyPatch, *arguments: str, code: int | None = 0) -> int:
    """Run the command line of a service with one role and one command, which returns `code`."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", NOBODY)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:x@{NOBODY}/x")
    monkeypatch.setenv("PRESSTALLY_SITES", str(ROOT / "sites.toml"))

    async def count(arguments: argparse.Namespace, settings: Settings) -> int | None:
        print(f"counted {arguments.what} of {settings.kafka_bootstrap}")
        return code

    command = Command(
        "count things", lambda parser: parser.add_argument("what") and None, count, examples=("apples", "pears")
    )
    service = ServiceCommandLine("service", Settings, {"nothing": run_nothing}, {"count": command})
    return service.run(arguments, "presstally service")


def test_service_command_line_runs_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first argument names a command; the others are its own; its result is the exit code."""
    assert main(monkeypatch, "count", "apples", code=3) == 3
    assert capsys.readouterr().out == f"counted apples of {NOBODY}\n"


def test_service_command_line_rejects_an_unknown_role(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A word that is neither role nor command is a usage error that names those that there are."""
    with pytest.raises(SystemExit) as exit_:
        main(monkeypatch, "something")
    assert exit_.value.code == 2
    assert "unknown role 'something'; choose from nothing, count" in capsys.readouterr().err


def test_service_command_line_lists_roles_and_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--help has a line for each role and each command."""
    with pytest.raises(SystemExit) as exit_:
        main(monkeypatch, "--help")
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert "  nothing     Does nothing." in printed
    assert "  count       Command: count things" in printed


def test_help_of_a_command_has_its_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Examples are shown as they are typed."""
    with pytest.raises(SystemExit) as exit_:
        main(monkeypatch, "count", "--help")
    assert exit_.value.code == 0
    printed = capsys.readouterr().out
    assert "usage: presstally service count" in printed
    assert "\n  presstally service count apples\n  presstally service count pears\n" in printed


def test_service_command_line_with_bad_settings_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command does not start with settings that cannot be used."""
    monkeypatch.setenv("PRESSTALLY_HTTP_PORT", "many")
    assert main(monkeypatch, "count", "apples") == 1
    assert "PRESSTALLY_HTTP_PORT" in capsys.readouterr().err
