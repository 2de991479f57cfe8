"""`presstally recover`: what it finds, what it asks, and the order of its commands."""

import argparse
import asyncio
import time
import uuid
from collections.abc import Callable, Sequence

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.cli import recover
from services.ingest.collector.partitions_command import create_partitions
from services.stats.counting.exclusions import reversal_id
from services.stats.settings import StatsSettings
from shared.kafka.config import KafkaConfig
from shared.topic_check import apply_configs, topic_client
from shared.topics import ARTICLES, PAGE_VIEWS, TOPICS, create_topics, wanted_topics
from tests.chaos.polling import becomes_true

GIVEN = argparse.Namespace(yes=False, after_restore=False)
TOPIC_STEP = recover.Step("Kafka has no topics.", "creates them", ("topics",))
COUNT_STEP = recover.Step("Counting waits.", "continues", ("stats", "rebuild", "--new-log"))
ADJUSTED = """INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, created_at)
VALUES ('a', 'haihau', '', 'views', 7, 'An', 'the old counter', now())"""
EXCLUDED = """INSERT INTO stats.adjustments (id, site, article, measure, amount, who, why, created_at, excluded_agent,
excluded_from, excluded_to) VALUES ($1, 'haihau', '', 'visitors', 0, 'An', 'a fleet', now(), $2, $3, $4)"""
APPLIED = """INSERT INTO stats.applied_exclusions (generation, adjustment, is_excluded, visitors, arrived_before)
SELECT generation, 'x', $1, 3, 0 FROM stats.generations"""
PLANNED = """INSERT INTO ingest.partition_plan (effective_at, partitions)
VALUES ('2026-01-01'::timestamptz + make_interval(days => $1), $1)"""
COUNTED = "UPDATE stats.offsets SET next_offset = 7, cluster = 'lost', topic_id = $2 WHERE topic = $1"


class Operator:
    """Answers questions, and notes the commands that are run."""

    def __init__(self, *answers: str, codes: Sequence[int] = ()) -> None:
        self._answers = list(answers)
        self._codes = list(codes)
        self.ran: list[tuple[str, ...]] = []

    def ask(self, question: str) -> str:
        assert "[y/N]" in question
        return self._answers.pop(0)

    def call(self, command: Sequence[str]) -> int:
        self.ran.append(tuple(command))
        return self._codes.pop(0) if self._codes else 0


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set what is found, in order."""
    for name, value in (("KAFKA_BOOTSTRAP", "127.0.0.1:1"), ("DATABASE_URL", "postgresql://u:x@127.0.0.1:1/x")):
        monkeypatch.setenv(name, value)

    def finding(step: recover.Step | None) -> recover.Find:
        async def find(settings: StatsSettings, given: argparse.Namespace) -> recover.Step | None:
            return step

        return find

    def found(*steps: recover.Step | None) -> None:
        monkeypatch.setattr(recover, "STEPS", tuple(finding(step) for step in steps))

    return found


def test_each_step_is_described_and_asked(steps: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    """What is in order is silent; each other step says what was found and what its command does."""
    steps(TOPIC_STEP, None, COUNT_STEP)
    operator = Operator("y", "Yes")
    assert recover.run([], operator.ask, operator.call) == 0
    assert operator.ran == [TOPIC_STEP.command, COUNT_STEP.command]
    assert "Counting waits.\n  `presstally stats rebuild --new-log` continues." in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["", "n", "no", "q"])
def test_declined_step_ends_it_and_changes_nothing(
    steps: Callable[..., None], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anything but yes is no; later steps need the earlier ones."""
    steps(TOPIC_STEP, COUNT_STEP)
    operator = Operator("y", answer)
    assert recover.run([], operator.ask, operator.call) == 1
    assert operator.ran == [TOPIC_STEP.command]
    assert "nothing further was changed" in capsys.readouterr().out


def test_end_of_input_declines(steps: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-D is no agreement, and no traceback."""
    steps(TOPIC_STEP)

    def end(question: str) -> str:
        raise EOFError

    operator = Operator()
    assert recover.run([], end, operator.call) == 1
    assert operator.ran == []
    assert recover.DECLINED in capsys.readouterr().out


def test_failed_step_ends_it(steps: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    """The next steps would work on what is not there; the command that failed is named."""
    steps(TOPIC_STEP, COUNT_STEP)
    operator = Operator(codes=[1])
    assert recover.run(["--yes"], operator.ask, operator.call) == 1
    assert operator.ran == [TOPIC_STEP.command]
    assert "`presstally topics` failed" in capsys.readouterr().out


def test_without_a_terminal_it_does_not_guess(
    steps: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a script, --yes says that nobody is asked."""
    steps(TOPIC_STEP)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert recover.run([]) == 2
    assert "--yes" in capsys.readouterr().err


def test_unavailable_stores_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is changed while Kafka cannot be reached."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:x@127.0.0.1:1/x")
    operator = Operator()
    assert recover.run(["--yes"], operator.ask, operator.call) == 1
    assert operator.ran == []
    error = capsys.readouterr().err
    assert error.startswith("recover: Kafka at 127.0.0.1:1 cannot be reached")
    assert error.count("\n") == 1


def test_articles_are_compared_as_the_operator_says() -> None:
    """Two copies of one moment are the case that nothing shows."""
    given = argparse.Namespace(yes=True, after_restore=True)
    step = asyncio.run(recover.find_articles(StatsSettings.model_construct(), given))
    assert step is not None
    assert step.command == ("ingest", "republish", "--after-restore")


@pytest.mark.parametrize(
    ("days_ago", "is_applied", "is_reversed", "is_found"),
    [
        (1, None, False, True),
        (1, None, True, True),
        (1, True, False, False),
        (1, True, True, True),
        (1, False, True, False),
        (10, None, False, False),  # no log has that day
    ],
)
async def test_exclusions_that_counts_lack_are_found(
    database: str, days_ago: int, is_applied: bool | None, is_reversed: bool, is_found: bool
) -> None:
    """An exclusion or reversal that came back into an older Postgres needs a rebuild; others are in order."""
    begin = int(time.time()) - days_ago * 86_400
    connection = await asyncpg.connect(database)
    await connection.execute(EXCLUDED, "x", 7, begin, begin + 3_600)
    if is_reversed:
        await connection.execute(EXCLUDED, reversal_id("x"), None, None, None)
    if is_applied is not None:
        await connection.execute(APPLIED, is_applied)
    await connection.close()
    settings = StatsSettings(kafka_bootstrap="127.0.0.1:1", database_url=database)
    step = await recover.find_exclusions(settings, GIVEN)
    assert (step is not None) is is_found
    if step is not None:
        assert step.command == ("stats", "rebuild")


async def test_lost_kafka_is_found_and_the_counts_are_kept(broker_without_topics: str, database: str) -> None:
    """On a real broker: the topics are missing; then they exist; then the counts are found to be of other ones."""
    settings = StatsSettings(kafka_bootstrap=broker_without_topics, database_url=database)
    step = await recover.find_topics(settings, GIVEN)
    assert step is not None
    assert step.command == ("topics",)
    assert all(topic.name in step.found for topic in TOPICS)
    await create_topics(KafkaConfig(broker_without_topics), 2, 1)
    assert await recover.find_topics(settings, GIVEN) is None
    assert await recover.find_partitions(settings, GIVEN) is None  # no collector has run yet
    assert await recover.find_counting(settings, GIVEN) is None  # nothing is counted yet
    assert await recover.find_adjustments(settings, GIVEN) is None
    connection = await asyncpg.connect(database)
    for partitions in (2, 5):  # planned before Kafka was lost
        await connection.execute(PLANNED, partitions)
    step = await recover.find_partitions(settings, GIVEN)
    assert step is not None
    assert step.found == "page-views has 2 partitions in Kafka, and events are distributed over 5: they wait."
    assert step.command == ("ingest", "partitions", "add", "5")
    await create_partitions(KafkaConfig(broker_without_topics), 5)
    assert await recover.find_partitions(settings, GIVEN) is None
    await connection.execute(ADJUSTED)
    step = await recover.find_adjustments(settings, GIVEN)
    assert step is not None
    assert step.found == "Kafka has lost 1 adjustments of counts that Postgres has."
    assert step.command == ("stats", "adjust", "--send-again")
    await connection.execute(COUNTED, PAGE_VIEWS.name, str(uuid.uuid4()))
    await connection.close()

    async def is_found() -> bool:
        step = await recover.find_counting(settings, GIVEN)
        return step is not None and step.command == ("stats", "rebuild", "--new-log")

    assert await becomes_true(is_found, 60)


async def test_topics_that_others_created_are_configured_before_the_counts_are_moved(
    broker_without_topics: str,
) -> None:
    """With Kafka's own configuration nothing is counted, whatever is done to the counts, and states are deleted."""
    kafka = KafkaConfig(broker_without_topics)
    settings = StatsSettings(kafka_bootstrap=broker_without_topics, database_url="postgresql://u:x@127.0.0.1:1/x")
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_without_topics)
    await admin.start()
    await admin.create_topics([NewTopic(name, 5, 1) for name in (PAGE_VIEWS.name, ARTICLES.name)])
    await admin.close()
    await create_topics(kafka, 2, 1)
    assert await recover.find_topics(settings, GIVEN) is None
    step = await recover.find_topic_settings(settings, GIVEN)
    assert step is not None
    assert step.command == ("topics", "apply")
    assert "topic page-views: message.timestamp.type is CreateTime instead of LogAppendTime\n" in step.found
    assert "topic articles: cleanup.policy is delete instead of compact\n" in step.found
    assert "events would be counted at the times that their senders state" in step.found
    async with topic_client(kafka) as client:
        await apply_configs(client, wanted_topics(1))

    async def is_mended() -> bool:
        return await recover.find_topic_settings(settings, GIVEN) is None

    assert await becomes_true(is_mended, 60)
    assert recover.STEPS.index(recover.find_topic_settings) < recover.STEPS.index(recover.find_counting)
