"""Topics that are not as they must be: what is found, and that it is found and mended on a real Kafka."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.kafka.config import KafkaConfig
from shared.kafka.topic_config import TopicState, read_topics
from shared.topic_check import Deviation, WantedTopic, find_deviations, topic_client
from shared.topics import DAY_MS, DEAD_LETTER_CONFIG, PAGE_VIEWS, TOPICS, wanted_topics

ROOT = Path(__file__).parent.parent.parent
WANTED = {topic.name: topic for topic in wanted_topics(3, partitions=12)}
VIEWS, ARTICLES, LETTERS = WANTED["page-views"], WANTED["articles"], WANTED["articles.dlq"]
HOUR_MS = 3_600_000


def state(wanted: WantedTopic, partitions: int = 12, replicas: int = 3, **other: str) -> TopicState:
    """Return a topic that is as it must be, except for some properties."""
    changed = {name.replace("_", "."): value for name, value in other.items()}
    return TopicState(partitions, replicas, {"segment.bytes": "1", **wanted.config, **changed})


@pytest.mark.parametrize("wanted", WANTED.values(), ids=list(WANTED))
def test_topic_as_wanted_has_no_deviation(wanted: WantedTopic) -> None:
    """A topic with exactly the wanted properties is as it must be, and so is one that keeps more."""
    assert find_deviations(wanted, state(wanted)) == []
    generous = dict.fromkeys(("retention_bytes", "max_message_bytes"), "4611686018427387904")
    assert find_deviations(wanted, state(wanted, 24, 5, **generous)) == []
    assert find_deviations(wanted, state(wanted, min_insync_replicas="3")) == []


@pytest.mark.parametrize(
    ("wanted", "changed", "name", "parts"),
    [
        (VIEWS, {"message_timestamp_type": "CreateTime"}, "message.timestamp.type", ["their senders state", "apply`"]),
        (VIEWS, {"cleanup_policy": "compact"}, "cleanup.policy", ["no key", "apply`"]),
        (VIEWS, {"retention_ms": str(HOUR_MS)}, "retention.ms", ["3600000 (1 hours) instead of 604800000 (168 hours)"]),
        (VIEWS, {"retention_ms": str(10 * DAY_MS)}, "retention.ms", ["count visitors twice"]),
        (VIEWS, {"retention_ms": "-1"}, "retention.ms", ["count visitors twice"]),
        (VIEWS, {"retention_bytes": "1048576"}, "retention.bytes", ["before their time"]),
        (VIEWS, {"max_message_bytes": "1000"}, "max.message.bytes", ["refuses large records"]),
        (VIEWS, {"min_insync_replicas": "1"}, "min.insync.replicas", ["1 instead of 2", "lost with one broker"]),
        (VIEWS, {"min_insync_replicas": "4"}, "min.insync.replicas", ["4 instead of 2", "accepts none"]),
        (VIEWS, {"replicas": 1}, "replicas", ["1 instead of 3", "kafka-reassign-partitions.sh"]),
        (VIEWS, {"partitions": 6}, "partitions", ["`presstally ingest partitions add 12`"]),
        (ARTICLES, {"cleanup_policy": "delete"}, "cleanup.policy", ["no rebuild", "apply`"]),
        (ARTICLES, {"cleanup_policy": "compact,delete"}, "cleanup.policy", ["no rebuild"]),
        (LETTERS, {"retention_ms": str(DAY_MS)}, "retention.ms", ["(720 hours)", "before somebody can inspect"]),
        (LETTERS, {"cleanup_policy": "compact"}, "cleanup.policy", ["without a key"]),
    ],
)
def test_deviation_names_consequence_and_command(
    wanted: WantedTopic, changed: Mapping[str, Any], name: str, parts: list[str]
) -> None:
    """Each property that is not as it must be is named, with what follows and what mends it."""
    found = {one.name: one for one in find_deviations(wanted, state(wanted, **changed))}
    assert name in found
    assert set(found) <= {name, "min.insync.replicas"}  # fewer replicas allow fewer of them
    message = str(found[name])
    assert message.startswith(f"topic {wanted.name}: {name} is ")
    for part in parts:
        assert part in message


def test_fewer_replicas_ask_for_fewer_in_sync() -> None:
    """A topic with one copy is not told to wait for two: Kafka would accept no record."""
    found = {one.name: one.wanted for one in find_deviations(VIEWS, state(VIEWS, replicas=1))}
    assert found == {"replicas": "3", "min.insync.replicas": "1"}


def test_missing_and_unreadable_topics_are_deviations() -> None:
    """A topic that does not exist, or whose configuration may not be read, has the command of its case."""
    (missing,) = find_deviations(VIEWS, None)
    assert "page-views: topic is missing" in str(missing)
    assert "`presstally topics`" in missing.remedy
    (unreadable,) = find_deviations(VIEWS, TopicState(12, 3, None))
    assert "DescribeConfigs: run `presstally acls --create`" in unreadable.remedy


def test_other_numbers_of_partitions_are_left_to_the_plan() -> None:
    """Only page-views may be asked for partitions: where a key's records are must stay as it is."""
    assert [topic.name for topic in WANTED.values() if topic.partitions] == ["page-views"]
    assert find_deviations(wanted_topics(3, [PAGE_VIEWS])[0], state(VIEWS, 1)) == []


# --- On a real Kafka ------------------------------------------------------------------------------------------------


def command(bootstrap: str, *arguments: str) -> tuple[int, str]:
    """Run `presstally topics`, and return its exit code and output."""
    settings = {"KAFKA_BOOTSTRAP": bootstrap, "DATABASE_URL": "postgresql://u:x@127.0.0.1:1/x"}
    done = subprocess.run(
        [sys.executable, "-m", "shared.topics", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings, "PRESSTALLY_PARTITIONS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


WRONG = {
    "page-views": {
        "message.timestamp.type": "CreateTime",
        "retention.ms": str(HOUR_MS),
        "retention.bytes": "1048576",
        "max.message.bytes": "2000",
        "segment.bytes": "2097152",
    },
    "articles": {"cleanup.policy": "delete"},
    "pages-live": {"cleanup.policy": "compact,delete", "min.insync.replicas": "2"},
    "articles.dlq": {"retention.ms": str(HOUR_MS)},
}


async def test_topics_commands_report_and_mend_on_a_real_broker(broker_without_topics: str) -> None:
    """Existing topics that are wrong are reported by each command, set by `apply`, and keep their other properties."""
    kafka = KafkaConfig(broker_without_topics)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker_without_topics)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1, topic_configs=config) for name, config in WRONG.items()])
    await admin.close()
    code, created = await asyncio.to_thread(command, broker_without_topics)
    assert (code, "created " in created) == (0, True), created
    code, checked = await asyncio.to_thread(command, broker_without_topics, "check")
    assert code == 1
    assert set(created.splitlines()[1:]) == set(checked.splitlines())
    wrong = {(name, key) for name, config in WRONG.items() for key in config if key != "segment.bytes"}
    for name, key in wrong:
        assert f"topic {name}: {key} is " in checked
    assert checked.count("\n") == len(wrong) + 1
    assert "page-views: partitions is 1 instead of 2" in checked
    code, applied = await asyncio.to_thread(command, broker_without_topics, "apply")
    assert (code, "articles: cleanup.policy was delete and is compact" in applied) == (1, True), applied
    code, checked = await asyncio.to_thread(command, broker_without_topics, "check")
    assert (code, checked.count("\n")) == (1, 1), checked
    assert "partitions add 2`" in checked
    async with topic_client(kafka) as client:
        states = await read_topics(client, ["page-views", "nothing"])
    assert set(states) == {"page-views"}
    assert states["page-views"].config is not None
    assert states["page-views"].config["segment.bytes"] == "2097152"


async def test_created_topics_are_as_they_must_be(broker_without_topics: str) -> None:
    """What the command creates has no deviation, and `check` says so with 0."""
    assert (await asyncio.to_thread(command, broker_without_topics, "check"))[0] == 1
    code, created = await asyncio.to_thread(command, broker_without_topics, "create")
    assert (code, created.count("\n")) == (0, 1), created
    assert await asyncio.to_thread(command, broker_without_topics, "check") == (0, "all topics are as they must be\n")
    assert await asyncio.to_thread(command, broker_without_topics, "apply") == (0, "")


def test_wanted_topics_are_all_topics_with_their_dead_letters() -> None:
    """There is one description for creating and for checking; with one copy Kafka waits for no second one."""
    alone = wanted_topics(1)
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
    assert [topic.name for topic in alone] == names
    assert {topic.config["min.insync.replicas"] for topic in alone} == {"1"}
    assert DEAD_LETTER_CONFIG.items() <= dict(LETTERS.config).items()
    assert isinstance(find_deviations(VIEWS, None)[0], Deviation)
