"""What an item's source says about its publication → public, scheduled, draft or left out, with reasons. Pure.

The fields of each format are in `state_fields`. What is unknown or contradictory is a draft.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from services.ingest.imports.state_fields import STATE_FIELDS, Outcome, StateField
from services.ingest.imports.text_repair import visible_line
from services.ingest.imports.times import ABSENT, UNKNOWN, read_time

_STRICTNESS: dict[Outcome, int] = {"public": 0, "scheduled": 1, "draft": 2, "left_out": 3}
VALUE_CHARACTERS_MAX = 60
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class SourceState:
    """The values of the fields of `STATE_FIELDS` that an item has at its source, by the name of the field."""

    format: str
    """A key of STATE_FIELDS."""
    values: Mapping[str, object] = field(default_factory=dict)
    more: tuple[StateField, ...] = ()
    """Fields that are in no table, by their names; `similar_fields` finds them."""

    @property
    def rules(self) -> tuple[StateField, ...]:
        """The fields that decide."""
        return (*STATE_FIELDS[self.format], *self.more)


@dataclass(frozen=True)
class Decision:
    """How an item is imported."""

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    """Why it is not simply public: parts of a sentence, such as "wp:status is private"."""
    publish_at: datetime | None = None
    embargo_until: datetime | None = None
    unpublish_at: datetime | None = None


class LeftOutError(Exception):
    """An item that is not imported at all, because its source has deleted it or it is no article."""

    def __init__(self, reason: str, title: str = "", external_id: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.title = title
        self.external_id = external_id


def normalized(value: object) -> str:
    """Return a value as the tables write it: lower case, true or false, "" for none."""
    if value is None:
        return ""
    text = visible_line(str(value)).lower()
    return "" if text in ("null", "~") else text


def check_not_left_out(state: SourceState) -> None:
    """Raise LeftOutError with the reason if the state says so. It depends on no time."""
    for rule in state.rules:
        outcome, reason = _categorical(rule, state.values.get(rule.name))
        if outcome == "left_out":
            raise LeftOutError(reason)


def decide(state: SourceState, published_at: datetime | None, now: datetime, zone: tzinfo) -> Decision:
    """Return how an item is imported.

    Args:
        state: What the source says.
        published_at: When the item was, or is to be, first public; without a time zone, in that of the site.
        now: The time of the import.
        zone: The zone of the site, for times without one.
    """
    found: list[tuple[Outcome, str]] = []
    if published_at is not None and published_at.tzinfo is None:
        published_at = published_at.replace(tzinfo=zone)
    times: dict[str, datetime] = {}
    if published_at is not None and published_at > now:
        found.append(("scheduled", f"its date is in the future: {_shown(published_at, zone)}"))
        times["publish_time"] = published_at
    for rule in state.rules:
        value = state.values.get(rule.name)
        if rule.role in ("embargo", "publish_time", "expiry"):
            found.append(_timed(rule, value, now, zone, times))
        else:
            found.append(_categorical(rule, value))
    outcome: Outcome = max((one for one, _ in found), key=lambda one: _STRICTNESS[one], default="public")
    reasons = [reason for one, reason in found if reason and one != "public"]
    begins = [at for role, at in times.items() if role != "expiry"]
    if outcome == "scheduled" and not begins:
        outcome, reasons = "draft", [*reasons, "it has no time in the future"]
    end = times.get("expiry")
    if end is not None and any(end <= begin for begin in begins):
        outcome = outcome if outcome == "left_out" else "draft"
        reasons, end = [*reasons, "it would end before it begins"], None
    return Decision(outcome, tuple(dict.fromkeys(reasons)), times.get("publish_time"), times.get("embargo"), end)


def _categorical(rule: StateField, value: object) -> tuple[Outcome, str]:
    text = normalized(value)
    if rule.role == "password":
        return ("draft", f"{rule.name} is set") if text else ("public", "")
    if rule.role in ("embargo", "publish_time", "expiry"):
        return "public", ""
    if not text:
        return rule.absent, "" if rule.absent == "public" else f"{rule.name} is missing"
    if rule.is_flag:
        text = "true" if text in _TRUE else "false" if text in _FALSE else text
    outcome = rule.values.get(text)
    shown = repr(text[:VALUE_CHARACTERS_MAX])
    if outcome is None:
        return rule.other, "" if rule.other == "public" else f"{rule.name} has the unknown value {shown}"
    return outcome, "" if outcome == "public" else f"{rule.name} is {shown}"


def _timed(
    rule: StateField, value: object, now: datetime, zone: tzinfo, times: dict[str, datetime]
) -> tuple[Outcome, str]:
    is_off = rule.is_flag and normalized(value) in _FALSE
    read = ABSENT if is_off else UNKNOWN if value is True else read_time(value)  # true: it is set, without a time
    if not read.was_given:
        return "public", ""
    at = read.in_zone(zone)
    if at is None:
        return "draft", f"{rule.name} is not a time: {visible_line(str(value))[:VALUE_CHARACTERS_MAX]!r}"
    if rule.role == "expiry":
        if at <= now:
            return "draft", f"{rule.name} is in the past: {_shown(at, zone)}"
        times["expiry"] = min(at, times.get("expiry", at))
        return "public", ""
    if at <= now:
        return "public", ""
    times[rule.role] = max(at, times.get(rule.role, at))
    return "scheduled", f"{rule.name} is in the future: {_shown(at, zone)}"


def _shown(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
