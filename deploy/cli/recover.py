"""`presstally recover`: the way back after Kafka or Postgres was lost or restored, step by step.

Each step says what was found and what its command does, and asks. What is in order is skipped without a word: a second
run asks nothing new. The commands are those of docs/backup.md; services keep running meanwhile.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError

from deploy.cli.words import PROGRAM
from services.ingest.collector.partition_router import read_plan
from services.ingest.collector.partitions_command import count_partitions
from services.stats.admin.lost_adjustments import find_lost_adjustments
from services.stats.admin.lost_records import find_mismatches
from services.stats.counting.exclusions import reversal_id
from services.stats.queries import SQL
from services.stats.settings import StatsSettings
from shared.cli import CommandError, open_command_pool, unreachable
from shared.kafka.connection import describe_error
from shared.kafka.log_reader import log_reader
from shared.postgres import POSTGRES_UNAVAILABLE
from shared.settings import SettingsError
from shared.topic_check import check_topics, topic_client
from shared.topics import PAGE_VIEWS, wanted_topics

LOG_SECONDS_MAX = 9 * 86_400
"""Page views are in no log for longer: an exclusion of a day before cannot be applied any more."""
DECLINED = "recover: stopped; nothing further was changed. Run it again when you have decided."
COUNTING = {
    "other topic": ("stats", "rebuild", "--new-log"),
    "lost records": ("stats", "rebuild", "--lost-records"),
}
"""Mismatch of the counts and the log → the command that keeps all counts and continues."""


class Step(NamedTuple):
    """A step of the way back.

    Attributes:
        found: What was found, in sentences.
        does: What the command does.
        command: Its words.
    """

    found: str
    does: str
    command: tuple[str, ...]


Find = Callable[[StatsSettings, argparse.Namespace], Coroutine[Any, Any, Step | None]]


async def find_topics(settings: StatsSettings, given: argparse.Namespace) -> Step | None:
    """Return the step that creates missing topics."""
    async with topic_client(settings.kafka) as client:
        deviations = await check_topics(client, wanted_topics(settings.replication))
    missing = sorted({one.topic for one in deviations if one.name == "topic"})
    if not missing:
        return None
    return Step(f"Kafka has no topics {', '.join(missing)}: it is new, or was lost.", "creates them", ("topics",))


async def find_partitions(settings: StatsSettings, given: argparse.Namespace) -> Step | None:
    """Return the step that adds the partitions over which events are distributed and which a new Kafka lacks."""
    async with open_command_pool(settings, role="presstally_ingest") as pool:
        _, plan = await read_plan(pool)
    there, wanted = await count_partitions(settings.kafka), plan.newest.partitions if plan.newest else 0
    if there >= wanted:
        return None
    found = f"{PAGE_VIEWS.name} has {there} partitions in Kafka, and events are distributed over {wanted}: they wait."
    return Step(found, "adds the others, and the events are sent", ("ingest", "partitions", "add", str(wanted)))


async def find_topic_settings(settings: StatsSettings, given: argparse.Namespace) -> Step | None:
    """Return the step that sets the configuration of topics that others have created, with Kafka's own one."""
    async with topic_client(settings.kafka) as client:
        deviations = await check_topics(client, wanted_topics(settings.replication))
    wrong = [one for one in deviations if one.is_config]
    if not wrong:
        return None
    found = "\n".join(f"topic {one.topic}: {one.name} is {one.found} instead of {one.wanted}" for one in wrong)
    consequences = "; ".join(sorted({one.consequence for one in wrong}))
    return Step(f"{found}\n{consequences}.", "sets what is wanted; partitions and replicas stay", ("topics", "apply"))


async def find_counting(settings: StatsSettings, given: argparse.Namespace) -> Step | None:
    """Return the step after which counting continues."""
    async with (
        open_command_pool(settings, role="presstally_stats") as pool,
        log_reader(settings.kafka) as reader,
    ):
        _, logs = await find_mismatches(pool, reader)
    mismatches = {one.mismatch.kind: one.mismatch for one in logs.values() if one.mismatch is not None}
    for kind, command in COUNTING.items():
        if kind in mismatches:
            kept = "keeps all counts and continues; records that were lost before they were counted stay lost"
            return Step(f"Counting waits: {mismatches[kind].message}.", kept, command)
    return None


async def find_adjustments(settings: StatsSettings, given: argparse.Namespace) -> Step | None:
    """Return the step that sends lost adjustments; the step before has sent them if page views were lost, too."""
    async with open_command_pool(settings, role="presstally_stats") as pool, pool.acquire() as connection:
        lost = await find_lost_adjustments(connection, settings.kafka)
    if not lost:
        return None
    found = f"Kafka has lost {len(lost):,} adjustments of counts that Postgres has."
    return Step(found, "sends them again; none counts twice", ("stats", "adjust", "--send-again"))


async def find_articles(settings: StatsSettings, given: argparse.Namespace) -> Step | None:
    """Return the step that compares the articles of Postgres and of Kafka. It is never wrong to run it."""
    command = ("ingest", "republish", *(("--after-restore",) if given.after_restore else ()))
    return Step(
        "Articles, opening balances and the structure of sites may be in Kafka alone or in Postgres alone.",
        "takes over what Postgres lacks, and sends again what Kafka lacks; ingest must be running",
        command,
    )


async def find_exclusions(settings: StatsSettings, given: argparse.Namespace) -> Step | None:
    """Return the step that applies exclusions and reversals that came back into an older Postgres."""
    async with open_command_pool(settings, role="presstally_stats") as pool:
        rows = await pool.fetch(SQL["list_exclusions"], None)
        entered = {row["id"] for row in await pool.fetch(SQL["read_adjustment_ids"])}
    oldest = time.time() - LOG_SECONDS_MAX
    waiting = [
        row
        for row in rows
        if row["excluded_from"] > oldest
        and (row["is_excluded"] is None or row["is_excluded"] == (reversal_id(row["id"]) in entered))
    ]
    if not waiting:
        return None
    found = f"{len(waiting)} exclusions of visitors are entered, and the counts do not have them."
    return Step(found, "counts the log again with those of days that it has; queries go on", ("stats", "rebuild"))


async def find_proof(settings: StatsSettings, given: argparse.Namespace) -> Step | None:
    """Return the step that proves the counts."""
    return Step("All numbers can be compared with the log.", "recounts it and changes nothing", ("stats", "verify"))


STEPS: tuple[Find, ...] = (
    find_topics,
    find_partitions,
    find_topic_settings,
    find_counting,
    find_adjustments,
    find_articles,
    find_exclusions,
    find_proof,
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    own = argparse.ArgumentParser(prog=f"{PROGRAM} recover", description="The way back after a loss, step by step.")
    own.add_argument("--yes", action="store_true", help="do not ask")
    own.add_argument(
        "--after-restore",
        action="store_true",
        help="both stores were restored, from copies of one moment: versions and numbers skip some",
    )
    return own


def run(
    arguments: Sequence[str],
    ask: Callable[[str], str] = input,
    call: Callable[[Sequence[str]], int] | None = None,
) -> int:
    """Run the command and return its exit code: 0 if every step was done.

    Args:
        arguments: The words after it.
        ask: Asks the operator and returns the answer.
        call: Runs a command by its words and returns its exit code; default: this program.
    """
    given = parser().parse_args(list(arguments))
    if not given.yes and ask is input and not sys.stdin.isatty():
        print("recover: it asks before each step, and there is no terminal; --yes answers for you", file=sys.stderr)
        return 2
    try:
        settings = StatsSettings.load()
        for find in STEPS:
            step = asyncio.run(find(settings, given))
            if step is None:
                continue
            code = _take(step, given, ask, call or _call)
            if code is None:
                print(DECLINED)
                return 1
            if code:
                print(f"recover: `{PROGRAM} {' '.join(step.command)}` failed; mend that and run recover again")
                return 1
    except (SettingsError, CommandError) as error:
        print(f"recover: {error}", file=sys.stderr)
        return 1
    except (KafkaError, *POSTGRES_UNAVAILABLE) as error:
        is_kafka = isinstance(error, KafkaError)
        reason = asyncio.run(describe_error(settings.kafka, error)) if is_kafka else unreachable("Postgres", error)
        print(f"recover: {reason}", file=sys.stderr)
        return 1
    print("recover: done")
    return 0


def _take(
    step: Step, given: argparse.Namespace, ask: Callable[[str], str], call: Callable[[Sequence[str]], int]
) -> int | None:
    """Take a step and return the exit code of its command; None if the operator declined."""
    print(step.found)
    print(f"  `{PROGRAM} {' '.join(step.command)}` {step.does}.")
    if not given.yes and not _agrees(ask):
        return None
    sys.stdout.flush()
    return call(step.command)


def _agrees(ask: Callable[[str], str]) -> bool:
    try:
        return ask("  Run it? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        print()
        return False


def _call(command: Sequence[str]) -> int:
    return subprocess.run([sys.executable, "-P", "-m", "deploy.cli", "-q", *command], check=False).returncode
