"""Exclusions in the reference model."""

from services.stats.admin.reference_exclusions import ExclusionRow, excluded_visitors
from tests.stats.admin.test_reference_model import MINUTE, NOON, record


def test_excluded_visitors_are_those_that_never_answered() -> None:
    """As in the fast code: in the span, of the group, without a ping or leave before the exclusion was made."""
    phone = {"client": "2" + "0" * 15}
    silent, answered = (f"{number:016x}" for number in (1, 2))
    log = [
        record(0, visitor=silent.upper(), **phone),
        record(1, visitor=answered, **phone),
        record(2, visitor=answered, kind="leave", **phone),
        record(3, visitor="a" * 16, client="3" + "0" * 15),
        record(4, visitor="b" * 16, bot="crawler", **phone),
        (5, NOON, b"not json"),
        record(6, visitor=silent, kind="ping", at=NOON + MINUTE, **phone),
    ]
    begin = NOON // 1000 - 60
    row = ExclusionRow("x", "haihau", 0x20000000, begin, begin + 3_600, NOON + MINUTE)
    assert excluded_visitors({0: log[:2], 1: log[2:]}, [row]) == {"x": {("haihau", silent)}}
    assert excluded_visitors({0: log}, [row._replace(begin=begin + 61)]) == {"x": set()}
