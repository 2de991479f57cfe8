"""Dead letters of a topic: decoding, selection and output."""

import argparse

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from services.stats.admin.dlq import (
    DeadLetterRecord,
    _is_of,
    _parse_position,
    _rejection_reason,
    printable,
    read_dead_letter,
)
from shared.kafka.dead_letters import dead_letter_headers
from shared.topics import ARTICLES, PAGE_VIEWS

HEADERS = dead_letter_headers("schema", "page-views", 3, 17, 1_795_496_400)


def record(headers: object, key: bytes | None = b"page-views-3-17", value: bytes | None = b"{}") -> ConsumerRecord:
    return ConsumerRecord("page-views.dlq", 1, 5, 1_795_496_400_000, 0, key, value, None, 0, 0, tuple(headers))  # type: ignore[arg-type]


def test_read_dead_letter_has_the_original_position_and_key() -> None:
    """Headers give the original position; the counter's own key is not one of the original record."""
    found = read_dead_letter(record(HEADERS))
    assert (found.name, found.origin, found.reason, found.key) == ("1:5", "page-views-3-17", "schema", None)
    assert (found.source, found.source_offset) == (TopicPartition("page-views", 3), 17)
    assert found.at.startswith("2026-11-24T05:00:00")
    assert read_dead_letter(record(HEADERS, key=b"bai-1")).key == b"bai-1"


def test_read_dead_letter_without_headers_has_no_source() -> None:
    """A record of another program has no source, and the time at which Kafka received it."""
    found = read_dead_letter(record([]))
    assert (found.source, found.source_offset, found.origin, found.reason) == (None, -1, "?", "?")
    assert found.at.startswith("2026-11-24T05:00:00")


def test_rejection_reason_names_what_a_replay_needs() -> None:
    """A record without a value, without a source or of another topic is not replayed."""
    good = read_dead_letter(record(HEADERS))
    assert _rejection_reason(good, PAGE_VIEWS) is None
    assert "no value" in str(_rejection_reason(read_dead_letter(record(HEADERS, value=None)), PAGE_VIEWS))
    assert "original position" in str(_rejection_reason(read_dead_letter(record([])), PAGE_VIEWS))
    assert "original position" in str(_rejection_reason(good, ARTICLES))


@pytest.mark.parametrize(
    ("reason", "matches"), [(None, True), ("schema", True), ("ValidationError", False), ("sch", False)]
)
def test_is_of_a_reason_matches_it_or_its_first_word(reason: str | None, matches: bool) -> None:
    """A reason is given as a whole, or by the name of its error."""
    found = read_dead_letter(record(HEADERS))
    assert _is_of(found, reason) is matches
    long = DeadLetterRecord(**{**found.__dict__, "reason": "ValidationError: expected int"})
    assert _is_of(long, "ValidationError")


def test_parse_position_accepts_partition_and_offset_only() -> None:
    """A position is PARTITION:OFFSET; anything else is an argument error."""
    assert _parse_position("3:17") == (3, 17)
    for text in ("3", "3:", ":17", "3:17:1", "a:b", "-1:2", "3:17 "):
        with pytest.raises(argparse.ArgumentTypeError):
            _parse_position(text)


def test_printable_escapes_control_characters() -> None:
    """Control characters and invalid UTF-8 are written as escapes; letters of any language stay."""
    assert printable(b"\x1b[2J\xffa\n") == "\\x1b[2J\\xffa\\n"
    assert printable("Hải Hậu") == "Hải Hậu"
