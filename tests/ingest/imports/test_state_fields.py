"""The table of each format: every field and value has its outcome."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.ingest.imports.detection import READERS
from services.ingest.imports.publication import SourceState, decide
from services.ingest.imports.state_fields import STATE_FIELDS, StateField

NOW = datetime(2026, 3, 5, 1, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PUBLIC = {
    "wxr": {"wp:post_type": "post", "wp:status": "publish"},
    "ghost": {"status": "published"},
    "nukeviet": {"status": "1"},
}
"""The values without which an item is not public."""
RULES = [(name, rule) for name, rules in STATE_FIELDS.items() for rule in rules]


def outcome(name: str, values: dict[str, Any], at: datetime | None = None) -> str:
    return decide(SourceState(name, {**PUBLIC.get(name, {}), **values}), at, NOW, ZONE).outcome


def test_decide_every_format_has_a_table_and_a_public_item() -> None:
    """Each format has its table; an item with the required values is public, and one with a future date scheduled."""
    assert set(READERS) - {"docx"} <= set(STATE_FIELDS)  # a Word document has no fields: its state is NO_STATE
    for name in STATE_FIELDS:
        assert outcome(name, {}) == "public", name
        assert outcome(name, {}, datetime(2026, 3, 5, 1, 1, tzinfo=UTC)) == "scheduled", name


@pytest.mark.parametrize(("name", "rule"), RULES, ids=lambda one: one.name if isinstance(one, StateField) else one)
def test_decide_field_unknown_value_is_never_public(name: str, rule: StateField) -> None:
    """A value that nobody knows makes a draft, or leaves the item out; known values have their outcome."""
    if rule.other != "public":
        assert outcome(name, {rule.name: "xyz"}) in ("draft", "left_out")
    for value, expected in rule.values.items():
        found = outcome(name, {rule.name: value.upper()})
        assert found == ("draft" if expected == "scheduled" else expected), value  # without a time in the future
    if rule.role in ("embargo", "publish_time"):
        assert outcome(name, {rule.name: "2030-01-01"}) == "scheduled"
        assert outcome(name, {rule.name: "2020-01-01T00:00:00Z"}) == "public"
    if rule.role == "expiry":
        assert outcome(name, {rule.name: "2020-01-01"}) == "draft"
        assert outcome(name, {rule.name: "2030-01-01"}) == "public"
