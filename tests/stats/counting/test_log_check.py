"""The comparison of a stored position with the log."""

import asyncio

import pytest

from services.stats.counting.log_check import LogChecker, Mismatch, PartitionLog, find_mismatch, refuse_timestamps
from services.stats.counting.store import Position
from shared.kafka.config import KafkaConfig
from shared.kafka.last_record import record_checksum
from shared.kafka.topic_config import alter_config
from shared.kafka.topic_identity import TopicIdentity
from shared.topic_check import topic_client
from shared.topics import create_topics

LOG = TopicIdentity("cluster", "topic-id")
POSITION = Position(1, 0, 10, identity=LOG)


def test_record_checksum_distinguishes_arrival_and_value() -> None:
    """Records that differ in their time of arrival or in their value have different checksums, which fit a bigint."""
    records = [(1, b"a"), (2, b"a"), (1, b"b"), (1, b""), (1, None), (11, b"a"), (1, b"1a"), (-1, b"a"), (1, b"-")]
    checksums = {record_checksum(*one) for one in records}
    assert len(checksums) == len(records)
    assert all(0 <= one < 2**63 for one in checksums)
    assert record_checksum(1, b"a") == record_checksum(1, b"a")


@pytest.mark.parametrize("end", [10, 11, 2**40])
def test_find_mismatch_accepts_the_counted_log(end: int) -> None:
    """The same topic whose log ends at the position or behind it is the one that was counted."""
    assert find_mismatch(POSITION, LOG, end) is None


@pytest.mark.parametrize(
    ("identity", "end", "kind", "command"),
    [
        (TopicIdentity("cluster", "another"), 20, "other topic", "rebuild --new-log"),
        (TopicIdentity("another", "topic-id"), 20, "other topic", "rebuild --new-log"),
        (TopicIdentity("cluster", "another"), 0, "other topic", "rebuild --new-log"),
        (LOG, 9, "lost records", "rebuild --lost-records"),
        (LOG, 0, "lost records", "rebuild --lost-records"),
    ],
)
def test_find_mismatch_names_the_command_of_the_case(
    identity: TopicIdentity, end: int, kind: str, command: str
) -> None:
    """Each case has a command of its own that keeps all counts; none advises a plain rebuild."""
    mismatch = find_mismatch(POSITION, identity, end)
    assert mismatch is not None
    assert mismatch.kind == kind
    assert f"presstally stats {command}`" in mismatch.message
    assert "Restore Kafka" in mismatch.message


def test_refuse_timestamps_of_senders_stops_every_partition() -> None:
    """With the senders' timestamps each partition has the command; a mismatch that was found first stays."""
    lost = Mismatch("lost records", "lost")
    logs = {0: PartitionLog(0, 9, None), 1: PartitionLog(0, 9, lost)}
    refused = refuse_timestamps(logs, {"message.timestamp.type": "CreateTime"})
    assert refused[1].mismatch == lost
    assert refused[0].mismatch is not None
    assert refused[0].mismatch.kind == "timestamps"
    assert "Nothing is counted. Run `presstally topics apply`" in refused[0].mismatch.message


@pytest.mark.parametrize("config", [None, {"message.timestamp.type": "LogAppendTime"}])
def test_refuse_timestamps_accepts_those_of_the_broker(config: dict[str, str] | None) -> None:
    """The broker's timestamps stop nothing, and neither does a configuration that may not be read."""
    logs = {0: PartitionLog(0, 9, None)}
    assert refuse_timestamps(logs, config) == logs


async def test_checker_reads_the_timestamps_of_a_real_topic(broker_without_topics: str) -> None:
    """The check of the log finds wrong timestamps before anything is counted, and that they are mended."""
    kafka = KafkaConfig(broker_without_topics)
    await create_topics(kafka, 2, 1)
    checker = LogChecker(kafka)
    try:
        identity, _ = await checker.read_topic("page-views")
        positions = {number: Position(1, 0, 0, identity=identity) for number in range(2)}
        async with topic_client(kafka) as client, asyncio.timeout(20):
            for kind, mismatches in (("CreateTime", {"timestamps"}), ("LogAppendTime", {None})):
                await alter_config(client, "page-views", {"message.timestamp.type": kind})
                found: set[str | None] = set()
                while found != mismatches:
                    logs = await checker.check("page-views", positions)
                    found = {one.mismatch and one.mismatch.kind for one in logs.values()}
    finally:
        await checker.close()
