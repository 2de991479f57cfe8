"""Messages on Kafka: which values decode, and which are errors."""

import json
from typing import Any

import msgspec
import pytest

from shared.events import Adjustment, PageEvent, PageLive

EVENT: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-000000000001",
    "site": "haihau",
    "kind": "view",
    "path": "/bai-1.html",
    "at": 1_795_496_400_000,
}
ADJUSTMENT: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-000000000002",
    "site": "haihau",
    "article": None,
    "measure": "visits",
    "amount": -5,
    "who": "An",
    "why": "the old counter",
    "at": 0,
}
LIVE: dict[str, Any] = {"article": "a-1", "version": 1, "status": "live", "url": "https://x", "reason": None, "at": 1}


def decoded(kind: type, fields: dict[str, Any]) -> Any:
    return msgspec.json.decode(json.dumps(fields), type=kind)


def test_page_event_without_optional_fields_encodes_to_the_same_fields() -> None:
    """Optional fields that are not set are left out of the message."""
    event = decoded(PageEvent, EVENT)
    assert (event.article, event.visitor, event.visitor_prev, event.bot, event.referrer) == (None,) * 5
    assert json.loads(msgspec.json.encode(event)) == EVENT


@pytest.mark.parametrize(("kind", "fields"), [(PageEvent, EVENT), (Adjustment, ADJUSTMENT), (PageLive, LIVE)])
def test_message_with_unknown_field_is_decoded(kind: type, fields: dict[str, Any]) -> None:
    """A newer producer may add fields: an older consumer ignores them."""
    assert decoded(kind, {**fields, "added_later": [1]}) == decoded(kind, fields)


@pytest.mark.parametrize(("kind", "fields"), [(PageEvent, EVENT), (Adjustment, ADJUSTMENT), (PageLive, LIVE)])
def test_message_without_required_field_is_invalid(kind: type, fields: dict[str, Any]) -> None:
    """Each required field is needed: a record without it is a dead letter."""
    for name in fields:
        with pytest.raises(msgspec.ValidationError, match=f"`{name}`"):
            decoded(kind, {other: value for other, value in fields.items() if other != name})


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "1"},
        {"site": "Hải Hậu"},
        {"site": ""},
        {"site": "x" * 41},
        {"kind": "click"},
        {"path": ""},
        {"path": "/" * 513},
        {"at": -1},
        {"at": 253_402_300_800_000},
        {"at": 1.5},
        {"at": "2026-11-24"},
        {"article": ""},
        {"article": "x" * 65},
        {"visitor": "0" * 15},
        {"visitor_prev": "0" * 17},
        {"bot": ""},
        {"referrer": "x" * 254},
    ],
)
def test_page_event_beyond_a_limit_is_invalid(changed: dict[str, Any]) -> None:
    """A field of another type or length is an error, and is not truncated."""
    with pytest.raises(msgspec.ValidationError):
        decoded(PageEvent, {**EVENT, **changed})


@pytest.mark.parametrize("amount", [2**53 + 1, -(2**53) - 1, 0.5, "1"])
def test_adjustment_amount_beyond_doubles_is_invalid(amount: object) -> None:
    """Amounts stay within the integers that JavaScript can represent exactly."""
    assert decoded(Adjustment, {**ADJUSTMENT, "amount": 2**53}).amount == 2**53
    with pytest.raises(msgspec.ValidationError):
        decoded(Adjustment, {**ADJUSTMENT, "amount": amount})


def test_page_live_status_outside_the_list_is_invalid() -> None:
    """The status is live, withdrawn or failed, and a version is positive."""
    for changed in ({"status": "deleted"}, {"version": 0}, {"version": 2**31}):
        with pytest.raises(msgspec.ValidationError):
            decoded(PageLive, {**LIVE, **changed})
