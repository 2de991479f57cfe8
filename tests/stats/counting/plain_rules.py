"""A second oracle of the counting rules, written from ARCHITECTURE.md alone: it shares nothing, not even the schema.

The reference model was written beside the rules that it checks, and finds days and buckets as they do. This one finds a
local day by walking over the quarters of an hour, and reads records with Python's own JSON.
"""

import json
import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote
from zoneinfo import ZoneInfo

MINUTE = 60_000
WINDOW = 30 * MINUTE
HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,9}")
HEX = re.compile("[0-9a-fA-F]{16}")
Place = tuple[str, str, str, int]
"""Site, article, grain, start in seconds."""


class Seen(NamedTuple):
    """A human view or ping."""

    at: int
    order: int
    event: dict[str, Any]
    article: str
    host: str


@cache
def first_quarter(quarter: int, zone: ZoneInfo) -> int:
    """Return the first quarter of an hour of the local day of a quarter."""
    date = datetime.fromtimestamp(quarter * 900, zone).date()
    while datetime.fromtimestamp((quarter - 1) * 900, zone).date() == date:
        quarter -= 1
    return quarter


def day_of(at: int, zone: ZoneInfo) -> int:
    """Return the start of the local day of an instant (milliseconds), in seconds."""
    return first_quarter(at // 900_000, zone) * 900


def hour_of(at: int, zone: ZoneInfo) -> int:
    """Return the start of the hour, counted from the start of the local day."""
    day = day_of(at, zone)
    return day + (at // 1000 - day) // 3600 * 3600


def host_of(event: Mapping[str, Any], origins: Sequence[str]) -> str:
    """Return the host of a visit that begins with a view."""
    host = (event.get("referrer") or "").lower().removeprefix("www.")
    if not host or host in [origin.partition("//")[2].removeprefix("www.") for origin in origins]:
        return ""
    return host if HOST.fullmatch(host) else "(other)"


def page_of(path: str) -> str:
    """Return the page of a path, for the paths of these tests."""
    bare = unquote(re.split("[?#]", path)[0])
    page = "/".join(part for part in bare.split("/") if part) + "/" * (bare.endswith("/") and bare.strip("/") != "")
    return "/" + re.sub(r"(?<![^/])[^/]*@[^/]*|(?<![^/])\+?[0-9]{9,}(?![^/])", "*", unicodedata.normalize("NFC", page))


def read(value: bytes | None) -> dict[str, Any] | None:
    """Return the event of a record, or None; only the invalid records of these tests are recognised."""
    try:
        event = json.loads(value or b"")
    except ValueError:
        return None
    return event if isinstance(event, dict) and {"id", "site", "kind", "path", "at"} <= event.keys() else None


class PlainCount:
    """The numbers of a log by the rules as they are written."""

    def __init__(self, partitions: Mapping[int, Sequence[tuple[int, int, bytes | None]]], sites: Any) -> None:
        self.counts: defaultdict[Place, list[int]] = defaultdict(lambda: [0, 0, 0])
        self.ledger: Counter[tuple[str, int, str]] = Counter()
        self.referrers: Counter[tuple[str, int, str]] = Counter()
        self.views: list[dict[str, Any]] = []
        self.visits: list[dict[str, Any]] = []
        self._sites = sites
        self._days: set[tuple[str, int, str]] = set()
        for records in partitions.values():
            self._count_partition(records)

    def _count_partition(self, records: Sequence[tuple[int, int, bytes | None]]) -> None:
        windows: list[int] = []
        seen_ids: dict[str, tuple[int, int]] = {}
        active: defaultdict[tuple[str, str], list[Seen]] = defaultdict(list)
        for order, (_, arrived, value) in enumerate(records):
            if not windows or arrived // WINDOW > windows[-1]:
                windows.append(arrived // WINDOW)
            event = read(value)
            if event is None or event["site"] not in self._sites:
                self.ledger["unknown", arrived // 86_400_000 * 86_400, "dead_lettered"] += 1
                continue
            outcome = self._outcome(event, arrived, windows, seen_ids)
            self.ledger[event["site"], day_of(arrived, self._sites[event["site"]].zone), outcome] += 1
            if outcome in ("counted", "late"):
                self._count(event, order, active)
        self._find_visits(active)

    def _outcome(
        self, event: dict[str, Any], arrived: int, windows: list[int], seen_ids: dict[str, tuple[int, int]]
    ) -> str:
        """An id is known for three windows with arrivals; to an event half an hour old for 49 hours."""
        late = arrived - event["at"]
        if late < -5 * MINUTE or late > 48 * 60 * MINUTE:
            return "dead_lettered"
        before = seen_ids.get(event["id"].lower())
        seen_ids[event["id"].lower()] = len(windows), windows[-1]
        if before is not None:
            number, window = before
            if number >= len(windows) - 2 or (late >= 30 * MINUTE and windows[-1] - window <= 98):
                return "duplicate"
        if event.get("bot"):
            return "bot"
        return "late" if late > 5 * MINUTE else "counted"

    def _count(self, event: dict[str, Any], order: int, active: defaultdict[tuple[str, str], list[Seen]]) -> None:
        site = self._sites[event["site"]]
        article, visitor = event.get("article") or "", (event.get("visitor") or "").lower()
        if event["kind"] == "view":
            self.views.append(event)
            self._add(event, 0)
            day = (site.slug, day_of(event["at"], site.zone), visitor)
            if visitor and day not in self._days:
                self._days.add(day)
                self._add(event, 2)
        if visitor and event["kind"] != "leave":
            seen = Seen(event["at"], order, event, article, host_of(event, site.origins))
            active[site.slug, visitor].append(seen)

    def _find_visits(self, active: Mapping[tuple[str, str], list[Seen]]) -> None:
        """A view without view or ping of its visitor in the 30 minutes before begins a visit."""
        times = {key: sorted(one.at for one in theirs) for key, theirs in active.items()}
        for (site, visitor), theirs in active.items():
            ordered = sorted(theirs, key=lambda one: (one.at, one.order))
            for number, one in enumerate(ordered):
                if one.event["kind"] != "view" or (number and one.at - ordered[number - 1].at <= 30 * MINUTE):
                    continue
                previous = (one.event.get("visitor_prev") or visitor).lower()
                known = times.get((site, previous), []) if previous != visitor else []
                place = bisect_left(known, one.at - 30 * MINUTE)
                if place == len(known) or known[place] > one.at:
                    self.visits.append(one.event)
                    self._add(one.event, 1)
                    self.referrers[site, day_of(one.at, self._sites[site].zone), one.host] += 1

    def _add(self, event: Mapping[str, Any], measure: int) -> None:
        site, at = self._sites[event["site"]], event["at"]
        day = day_of(at, site.zone)
        places = [
            ("", "5m", at // 300_000 * 300),
            ("", "hour", hour_of(at, site.zone)),
            ("", "day", day),
            ("", "total", 0),
        ]
        article = event.get("article") or page_of(event["path"])
        places += [(article, "day", day), (article, "total", 0)]
        for place in places:
            self.counts[site.slug, *place][measure] += 1
