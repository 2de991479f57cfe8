"""The test oracle: seeded histories of visitors, and the counts that they must produce.

Expected counts are computed while events are generated, without any knowledge of how the counter works. They do not
depend on the order of arrival and of retries, because of how the histories are built:

- A visitor has at most one event in a round, and a round is sent only when the last one was acknowledged.
- A visitor's first event is a view; all of a visitor's events are within 15 minutes, so there is exactly one visit.
- Additionally, some visitors come twice, 40 minutes apart: exactly two visits.
- Of some visitors an earlier view or ping arrives in a later round, as if it had waited in a spool: the visit begins
  with that view, or with none if it is a ping.
- Events that are not acknowledged are sent again under the same ID. The log may have them twice; they count once.
"""

import json
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from shared.events import PageEvent

SITES = ("haihau", "giao-thuy")
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
ARTICLES = [f"bai-{number}" for number in range(8)]
BOTS = ["Googlebot", "curl", "headless"]
ROUND_EVENTS = 40
DUPLICATES = 0.05
MINUTE = 60_000
READER_MILLISECONDS = 15 * MINUTE
MEASURES = ("views", "visits", "visitors")


class Sending(NamedTuple):
    """A record to send."""

    partition: int
    value: bytes | None


class Cell(NamedTuple):
    """One number of `stats.counts`."""

    site: str
    article: str
    grain: str
    start: int
    part: int
    measure: str


@dataclass
class SimulatedVisitor:
    """A visitor with its visitor ID; all its events are on one partition."""

    site: str
    key: str
    partition: int
    begun: int
    busy_until_round: int = 0


@dataclass
class Expected:
    """The counts that must result once everything that was sent is counted."""

    cells: Counter[Cell] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(outcome, reason) → distinct events; duplicates and dead letters follow from the log."""
    days: set[tuple[str, int, str]] = field(default_factory=set)

    def enter(self, event: PageEvent, partition: int, *, starts_visit: bool, late: bool) -> None:
        """Add one distinct event."""
        if event.bot is not None:
            self.outcomes["bot", event.bot] += 1
            return
        self.outcomes["late" if late else "counted", ""] += 1
        if event.kind != "view":
            return
        day = local_day(event.at)
        counted = ["views"] + ["visits"] * starts_visit
        if event.visitor is not None and (event.site, day, event.visitor) not in self.days:
            self.days.add((event.site, day, event.visitor))
            counted.append("visitors")
        second = event.at // 1000
        spans = [
            ("", "5m", second // 300 * 300),
            ("", "hour", second // 3600 * 3600),
            ("", "day", day),
            ("", "total", 0),
        ]
        name = event.article or event.path  # of the page; all paths of these events are their pages' names
        spans += [(name, "day", day), (name, "total", 0)]
        for measure in counted:
            for span in spans:
                self.cells[Cell(event.site, *span, partition, measure)] += 1

    def take_visit_back(self, event: PageEvent, partition: int) -> None:
        """Remove the visit that a view began before an earlier event arrived."""
        second = event.at // 1000
        spans = [
            ("", "5m", second // 300 * 300),
            ("", "hour", second // 3600 * 3600),
            ("", "day", local_day(event.at)),
            ("", "total", 0),
        ]
        name = event.article or event.path
        spans += [(name, "day", local_day(event.at)), (name, "total", 0)]
        for span in spans:
            self.cells[Cell(event.site, *span, partition, "visits")] -= 1

    def total(self, site: str, article: str, measure: str) -> int:
        """Return the total that the counter of a site or an article must show."""
        return sum(
            number
            for cell, number in self.cells.items()
            if (cell.site, cell.article, cell.grain, cell.measure) == (site, article, "total", measure)
        )


def local_day(at: int) -> int:
    """Return the start of the local day of a time in ms, in seconds since 1970."""
    local = datetime.fromtimestamp(at // 1000, ZONE)
    return int(local.replace(hour=0, minute=0, second=0).timestamp())


class History:
    """Generates rounds of events, and computes the expected counts."""

    def __init__(self, seed: int, partitions: int, *, with_invalid: bool = True) -> None:
        self.seed = seed
        self._chance = random.Random(seed)
        self._partitions = partitions
        self._with_invalid = with_invalid
        self._round = 0
        self._readers: list[SimulatedVisitor] = []
        self._returning: list[SimulatedVisitor] = []
        self._ahead: list[tuple[SimulatedVisitor, PageEvent]] = []
        """Visitors whose earlier event has not arrived yet, and the view that has."""
        self._recent: list[Sending] = []
        self.expected = Expected()
        self.invalid_values: set[bytes | None] = {None}

    def next_round(self, now: int, events: int = ROUND_EVENTS) -> list[Sending]:
        """Generate the next events; `now` is in milliseconds since 1970 UTC."""
        self._round += 1
        self._readers = [one for one in self._readers if now - one.begun < READER_MILLISECONDS][-2_000:]
        kinds = {
            self._known_reader: 50,
            self._new_reader: 28,
            self._nobody: 8,
            self._bot: 4,
            self._late: 3,
            self._very_late: 2,
            self._twice: 4,
            self._out_of_order: 4,
            self._invalid: int(self._with_invalid),
        }
        makers = self._chance.choices(list(kinds), list(kinds.values()), k=events)
        made: list[Sending] = []
        for make in makers:
            sending = make(now)
            made.append(sending)
            if self._chance.random() < DUPLICATES:
                # At once, or after other events: a counter that restarts must still recognize it.
                again = (
                    sending if self._chance.random() < 0.5 or not self._recent else self._chance.choice(self._recent)
                )
                made.append(again)
        self._recent = [one for one in self._recent + made if one.value not in self.invalid_values][-3_000:]
        return made

    def _event(self, reader: SimulatedVisitor | None, at: int, kind: str = "view", **more: Any) -> PageEvent:
        article = self._chance.choice([*ARTICLES, None])
        site = reader.site if reader else self._chance.choice(SITES)
        key = reader.key if reader else None
        one = {"id": self._id(), "site": site, "kind": kind, "path": "/", "at": at, "article": article, "visitor": key}
        return PageEvent(**{**one, **more})

    def _id(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128)))

    def _person(self, begun: int) -> SimulatedVisitor:
        key = f"{self._chance.getrandbits(64):016x}"
        return SimulatedVisitor(
            self._chance.choice(SITES), key, self._chance.randrange(self._partitions), begun, self._round
        )

    def _send(self, event: PageEvent, partition: int, *, starts_visit: bool, late: bool = False) -> Sending:
        self.expected.enter(event, partition, starts_visit=starts_visit, late=late)
        return Sending(partition, msgspec.json.encode(event))

    def _new_reader(self, now: int) -> Sending:
        reader = self._person(now)
        self._readers.append(reader)
        return self._send(self._event(reader, now), reader.partition, starts_visit=True)

    def _known_reader(self, now: int) -> Sending:
        free = (
            [one for one in self._chance.choices(self._readers, k=4) if one.busy_until_round < self._round]
            if self._readers
            else []
        )
        if not free:
            return self._new_reader(now)
        reader = free[0]
        reader.busy_until_round = self._round
        kind = self._chance.choices(["view", "ping", "leave"], [60, 30, 10])[0]
        at = now - self._chance.randrange(2_000)
        return self._send(self._event(reader, max(at, reader.begun), kind), reader.partition, starts_visit=False)

    def _nobody(self, now: int) -> Sending:
        """Generate a view of a visitor who opted out of identification: no visit, no visitor."""
        return self._send(self._event(None, now), self._chance.randrange(self._partitions), starts_visit=False)

    def _bot(self, now: int) -> Sending:
        reader = self._person(now)
        return self._send(self._event(reader, now, bot=self._chance.choice(BOTS)), reader.partition, starts_visit=False)

    def _late(self, now: int) -> Sending:
        reader = self._person(now)
        at = now - self._chance.randrange(6 * MINUTE, 45 * MINUTE)
        return self._send(self._event(reader, at), reader.partition, starts_visit=True, late=True)

    def _very_late(self, now: int) -> Sending:
        reader = self._person(now)
        at = now - self._chance.randrange(60 * MINUTE, 47 * 60 * MINUTE)
        return self._send(self._event(reader, at), reader.partition, starts_visit=True, late=True)

    def _twice(self, now: int) -> Sending:
        """Generate the first view of a visitor who comes twice, and in a later round the view of the second visit."""
        waiting = [one for one in self._returning if one.busy_until_round < self._round]
        if not waiting or self._chance.random() < 0.3:
            reader = self._person(now - 47 * MINUTE)
            self._returning.append(reader)
            return self._send(self._event(reader, reader.begun), reader.partition, starts_visit=True, late=True)
        reader = waiting[0]
        self._returning.remove(reader)
        return self._send(
            self._event(reader, reader.begun + 40 * MINUTE), reader.partition, starts_visit=True, late=True
        )

    def _out_of_order(self, now: int) -> Sending:
        """Generate a view, and in a later round an event of up to 25 minutes before it."""
        waiting = [one for one in self._ahead if one[0].busy_until_round < self._round]
        if not waiting or self._chance.random() < 0.3:
            reader = self._person(now)
            view = self._event(reader, now)
            self._ahead.append((reader, view))
            return self._send(view, reader.partition, starts_visit=True)
        reader, view = self._chance.choice(waiting)
        self._ahead.remove((reader, view))
        at, kind = view.at - self._chance.randrange(6 * MINUTE, 25 * MINUTE), self._chance.choice(["view", "ping"])
        self.expected.take_visit_back(view, reader.partition)
        return self._send(self._event(reader, at, kind), reader.partition, starts_visit=True, late=True)

    def _invalid(self, now: int) -> Sending:
        event = {"id": self._id(), "site": "haihau", "kind": "view", "path": "/", "at": now}
        value = self._chance.choice(
            [
                f"{{no JSON {self._id()}".encode(),
                json.dumps({**event, "kind": "jump"}).encode(),
                json.dumps({**event, "site": "nowhere"}).encode(),
                json.dumps({**event, "at": now + 60 * MINUTE}).encode(),
                json.dumps({**event, "at": now - 50 * 60 * MINUTE}).encode(),
                json.dumps({**event, "article": "\0"}).encode(),
                None,
            ]
        )
        self.invalid_values.add(value)
        return Sending(self._chance.randrange(self._partitions), value)
