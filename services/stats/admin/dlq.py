"""`presstally stats dlq list|show|replay|accept`: show dead letters, and send them to their topic again.

A dead letter is identified by its position in the dead-letter topic, written PARTITION:OFFSET. Its headers contain the
reason and the position of the original record (`shared.kafka.dead_letters`). A replay does not remove it; Kafka deletes
dead letters after their retention. `accept` continues a partition whose latest records are mostly unreadable: they
become dead letters.
"""

import argparse
import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import ConsumerRecord

from services.stats.queries import SQL
from services.stats.settings import StatsSettings
from shared.cli import CommandError
from shared.kafka.config import KafkaConfig
from shared.kafka.log_reader import log_reader, read_range
from shared.kafka.producer import KafkaUnavailable, Producer
from shared.postgres import open_pool
from shared.retry import retry_until_done
from shared.topics import PAGE_VIEWS, TOPICS, Topic

KAFKA_SECONDS = 15.0
VALUE_CHARACTERS_SHOWN = 60
LIST_LIMIT = 50
BY_NAME = {topic.name: topic for topic in TOPICS}


@dataclass(frozen=True)
class DeadLetterRecord:
    """One dead letter."""

    partition: int
    offset: int
    at: str
    """When it was found unreadable: RFC 3339 in UTC."""
    reason: str
    source: TopicPartition | None
    """None if its headers do not contain it."""
    source_offset: int
    key: bytes | None
    """Of the original record."""
    value: bytes | None
    headers: list[tuple[str, bytes]]

    @property
    def name(self) -> str:
        """Its position in the dead-letter topic."""
        return f"{self.partition}:{self.offset}"

    @property
    def origin(self) -> str:
        """The position of the original record."""
        return f"{self.source.topic}-{self.source.partition}-{self.source_offset}" if self.source else "?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="show dead letters, the newest last")
    listing.add_argument("--reason", help="only those of this reason")
    listing.add_argument("--limit", type=int, default=LIST_LIMIT, help=f"maximum number; default: {LIST_LIMIT}")
    showing = verbs.add_parser("show", help="show one dead letter with headers and value")
    showing.add_argument("letter", type=_parse_position, metavar="PARTITION:OFFSET")
    replaying = verbs.add_parser("replay", help="send dead letters to their original topic")
    replaying.add_argument("letters", nargs="*", type=_parse_position, metavar="PARTITION:OFFSET")
    replaying.add_argument("--reason", help="all of this reason")
    replaying.add_argument("--all", action="store_true", help="all dead letters")
    replaying.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    accepting = verbs.add_parser("accept", help="continue where most records are unreadable: make them dead letters")
    accepting.add_argument("--dry-run", action="store_true", help="show what would be accepted, and change nothing")
    for verb in (listing, showing, replaying):
        verb.add_argument("--topic", choices=list(BY_NAME), default=PAGE_VIEWS.name, help=f"default: {PAGE_VIEWS.name}")


def _parse_position(text: str) -> tuple[int, int]:
    if not re.fullmatch("[0-9]{1,9}:[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not PARTITION:OFFSET, such as 3:17")
    partition, offset = text.split(":")
    return int(partition), int(offset)


async def run(arguments: argparse.Namespace, settings: StatsSettings) -> None:
    """Run the command."""
    if arguments.verb == "accept":
        await _accept(settings, dry_run=arguments.dry_run)
        return
    verb = {"list": _list, "show": _show, "replay": _replay}[arguments.verb]
    await verb(arguments, BY_NAME[arguments.topic], settings.kafka)


async def _accept(settings: StatsSettings, *, dry_run: bool) -> None:
    """Allow the records that are not counted yet to become dead letters, however many of them are unreadable."""
    pool = await open_pool(settings.database_url.get_secret_value(), role="presstally_stats", size=1)
    try:
        numbers = [row["partition"] for row in await pool.fetch(SQL["counted_partitions"], PAGE_VIEWS.name)]
        if not numbers:
            raise CommandError(f"no partition of {PAGE_VIEWS.name} is counted yet")
        partitions = [TopicPartition(PAGE_VIEWS.name, number) for number in numbers]
        async with log_reader(settings.kafka) as reader:
            ends = await reader.end_offsets(partitions)
        async with pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            offsets = [ends[one] for one in partitions]
            accepted = await connection.fetch(SQL["accept_dead_letters"], PAGE_VIEWS.name, numbers, offsets)
            await (transaction.rollback() if dry_run else transaction.commit())
    finally:
        await pool.close()
    verb = "would be accepted" if dry_run else "are accepted"
    for partition, next_offset, until in sorted(map(tuple, accepted)):
        print(f"{PAGE_VIEWS.name}-{partition}: offsets {next_offset} to {until - 1} {verb}")
    print(f"{len(accepted)} partitions; unreadable records there become dead letters, all others are counted")


async def _list(arguments: argparse.Namespace, topic: Topic, kafka: KafkaConfig) -> None:
    letters = [letter for letter in await _read_all(topic, kafka) if _is_of(letter, arguments.reason)]
    shown = letters[-arguments.limit :] if arguments.limit > 0 else []
    if shown:
        print(f"{'letter':<12}  {'at':<19}  {'reason':<14}  {'source':<26}  {'bytes':>6}  value")
    for letter in shown:
        size = "null" if letter.value is None else str(len(letter.value))
        print(
            f"{letter.name:<12}  {letter.at[:19]:<19}  {printable(letter.reason):<14}  {letter.origin:<26}  {size:>6}  "
            f"{printable(letter.value or b'')[:VALUE_CHARACTERS_SHOWN]}"
        )
    print(f"{len(shown)} of {len(letters)} dead letters of {topic.name}")


async def _show(arguments: argparse.Namespace, topic: Topic, kafka: KafkaConfig) -> None:
    partition, offset = arguments.letter
    async with log_reader(kafka) as reader:
        letter = await _read_one(reader, topic, await _ranges(reader, topic, kafka), partition, offset)
    for name, value in letter.headers:
        print(f"{printable(name)}: {printable(value)}")
    if letter.value is None:
        print("no value (null)")
    else:
        print(f"{len(letter.value)} bytes:")
        print(printable(letter.value))


async def _replay(arguments: argparse.Namespace, topic: Topic, kafka: KafkaConfig) -> None:
    if not arguments.letters and not arguments.reason and not arguments.all:
        raise CommandError("PARTITION:OFFSET …, --reason or --all is required")
    if arguments.letters and (arguments.reason or arguments.all):
        raise CommandError("name letters, or choose them by --reason or --all; not both")
    if arguments.letters:
        async with log_reader(kafka) as reader:
            ranges = await _ranges(reader, topic, kafka)
            chosen = [await _read_one(reader, topic, ranges, *position) for position in arguments.letters]
    else:
        chosen = [letter for letter in await _read_all(topic, kafka) if _is_of(letter, arguments.reason)]
    chosen = list({letter.origin if letter.source else letter.name: letter for letter in chosen}.values())
    rejected = {letter.name: reason for letter in chosen if (reason := _rejection_reason(letter, topic))}
    if topic.config["cleanup.policy"] == "compact":
        rejected |= await _outdated([letter for letter in chosen if letter.name not in rejected], kafka)
    for name, reason in rejected.items():
        print(f"{name} is not replayed: {reason}")
    sending = [letter for letter in chosen if letter.name not in rejected]
    if arguments.dry_run:
        for letter in sending:
            print(f"{letter.name} would be sent again to the partition of {letter.origin}")
        print(f"{len(sending)} letters would be replayed; nothing was sent")
        return
    await _send(sending, kafka)
    print(f"{len(sending)} letters replayed to {topic.name}")
    if sending and topic is PAGE_VIEWS:
        print(
            "An event's id keeps a second replay from counting twice for 90 minutes, "
            "and for 49 hours if the event is half an hour late or more."
        )
    if arguments.letters and rejected:
        raise CommandError(f"{len(rejected)} of the letters you named were not replayed")


def _is_of(letter: DeadLetterRecord, reason: str | None) -> bool:
    """Return whether a dead letter has this reason; of a longer one (an error message) the first word is enough."""
    return reason is None or letter.reason == reason or letter.reason.startswith(f"{reason}:")


def _rejection_reason(letter: DeadLetterRecord, topic: Topic) -> str | None:
    if letter.value is None:
        return "it has no value (null), so there is nothing to send"
    if letter.source is None or letter.source.topic != topic.name:
        return "its headers do not contain its original position"
    return None


async def _outdated(letters: list[DeadLetterRecord], kafka: KafkaConfig) -> dict[str, str]:
    """Return the dead letters that a newer message of the same key has superseded.

    In a compacted topic the last message of a key is its state: an old one must not become the last.
    """
    superseded: dict[str, str] = {}
    async with log_reader(kafka) as reader:
        for letter in letters:
            assert letter.source is not None, "dead letters without a source were removed before"
            ends = await reader.end_offsets([letter.source])
            begins = await reader.beginning_offsets([letter.source])
            begin = max(letter.source_offset + 1, begins[letter.source])
            async for records in read_range(reader, letter.source, begin, ends[letter.source]):
                if any(record.key == letter.key for record in records):
                    superseded[letter.name] = f"a newer message of the same key is on {letter.source.topic}"
    return superseded


async def _send(letters: Iterable[DeadLetterRecord], kafka: KafkaConfig) -> None:
    """Send dead letters to their original partitions, one after the other, each acknowledged."""
    producer = Producer(kafka)
    producer.start()
    sent = 0
    try:
        for letter in letters:
            async with asyncio.timeout(KAFKA_SECONDS):
                await retry_until_done(
                    partial(_send_one, producer, letter), on=KafkaUnavailable, what="replay a dead letter"
                )
            sent += 1
    except TimeoutError:
        raise CommandError(
            f"{producer.problem or 'Kafka does not acknowledge'}; "
            f"{sent} letters were replayed within {KAFKA_SECONDS:g} s"
        ) from None
    finally:
        await producer.stop()


async def _send_one(producer: Producer, letter: DeadLetterRecord) -> None:
    assert letter.source is not None, "dead letters without a source were removed before"
    topic, partition = letter.source
    await producer.send(topic, letter.value, key=letter.key, partition=partition)


async def _read_all(topic: Topic, kafka: KafkaConfig) -> list[DeadLetterRecord]:
    """Read all dead letters, ordered by time."""
    letters: list[DeadLetterRecord] = []
    async with log_reader(kafka) as reader:
        for partition, (begin, end) in (await _ranges(reader, topic, kafka)).items():
            async for records in read_range(reader, partition, begin, end):
                letters += map(read_dead_letter, records)
    return sorted(letters, key=lambda letter: (letter.at, letter.partition, letter.offset))


async def _ranges(reader: AIOKafkaConsumer, topic: Topic, kafka: KafkaConfig) -> dict[TopicPartition, tuple[int, int]]:
    """Return the first offset and the end of each partition of the dead-letter topic."""
    admin = AIOKafkaAdminClient(**kafka.client)
    try:
        await admin.start()
        described = (await admin.describe_topics([topic.dead_letters]))[0]
    finally:
        await admin.close()
    if described["error_code"]:
        raise CommandError(f"Kafka has no topic {topic.dead_letters}")
    partitions = sorted(TopicPartition(topic.dead_letters, one["partition"]) for one in described["partitions"])
    begins = await reader.beginning_offsets(partitions)
    ends = await reader.end_offsets(partitions)
    return {partition: (begins[partition], ends[partition]) for partition in partitions}


async def _read_one(
    reader: AIOKafkaConsumer,
    topic: Topic,
    ranges: dict[TopicPartition, tuple[int, int]],
    partition: int,
    offset: int,
) -> DeadLetterRecord:
    position = TopicPartition(topic.dead_letters, partition)
    begin, end = ranges.get(position, (0, 0))
    if begin <= offset < end:
        async for records in read_range(reader, position, offset, offset + 1):
            for record in records:
                return read_dead_letter(record)
    raise CommandError(f"there is no letter {partition}:{offset} in {topic.dead_letters}")


def read_dead_letter(record: ConsumerRecord) -> DeadLetterRecord:
    """Decode a record of a dead-letter topic; without headers its source is None."""
    headers = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    topic, partition, offset = (headers.get(name, "") for name in ("topic", "partition", "offset"))
    has_source = bool(topic) and partition.isdecimal() and offset.isdecimal()
    # The counter sets this key, since page views have none.
    own_key = f"{topic}-{partition}-{offset}".encode()
    return DeadLetterRecord(
        partition=record.partition,
        offset=record.offset,
        at=headers.get("at") or datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(),
        reason=headers.get("reason", "?"),
        source=TopicPartition(topic, int(partition)) if has_source else None,
        source_offset=int(offset) if has_source else -1,
        key=None if record.key == own_key else record.key,
        value=record.value,
        headers=list(record.headers),
    )


def printable(value: bytes | str) -> str:
    """Return text that is safe for a terminal: non-printable characters are written as escapes."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
