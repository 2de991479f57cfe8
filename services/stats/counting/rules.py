"""The counting rules: a pure fold of records into deltas. It knows no clock, no socket and no database.

What a record means depends on the record (its event and the time at which Kafka got it) and on what the
partition remembers (`memory`). All of a reader's events are in one partition, so each partition's deltas add up.
The rules: ARCHITECTURE.md, "Counting rules". The same rules in plain words and slow code: `recount`.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import numpy as np

from services.stats.counting.decoding import VIEW, Batch, DeadLetter, Flags, Integers, Record, Records, read
from services.stats.counting.seen_ids import PastIds, find
from services.stats.counting.state import PAST_SLOTS, SLOT_MILLISECONDS, Memory, Readers, Signs
from services.stats.local_time import HOUR_SECONDS, QUARTER_SECONDS, STEP_SECONDS, day_start
from shared.sites import Site

ONLINE_MILLISECONDS = 300_000
LATE_MILLISECONDS = 300_000
"""An event that took longer than this to reach Kafka is entered as late; it counts in the bucket of its own time."""
STALE_MILLISECONDS = SLOT_MILLISECONDS
"""An event that is older than this when it arrives is looked up among the ids that left memory."""
WHOLE_SITE = ""
"""Stands for the site itself where an article id would stand."""
UNKNOWN_SITE = "unknown"
"""Stands in the ledger where a dead letter does not tell its site."""
DAY_SECONDS = 86_400
DIRECT = ""
"""Stands for a referrer that is not told, or is a page of the site itself."""
OTHER_HOSTS = "(other)"
"""Stands for what is no host name, and for the hosts beyond HOSTS_MAX."""
HOSTS_MAX = 200
"""Hosts of a site's local day on a partition that have a row of their own: senders can make up any number."""
_HOST = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,9}")

Outcome = Literal["counted", "duplicate", "bot", "late", "dead_lettered"]
DUPLICATE, BOT = 2, 3
"""Kinds of ledger entries in a column: 0 counted, 1 late, 2 duplicate, and the bots by their reason from 3."""
_OUTCOMES: tuple[tuple[Outcome, str], ...] = (("counted", ""), ("late", ""), ("duplicate", ""))


class DayCount(NamedTuple):
    """Views and visits of a site (or of an article of it) on one local day."""

    site: str
    article: str
    day: int
    views: int
    visits: int


class SpanCount(NamedTuple):
    """Views and visits of a site in a 5-minute step or an hour."""

    site: str
    grain: Literal["step", "hour"]
    start: int
    views: int
    visits: int


class FirstSight(NamedTuple):
    """A key's first view of a local day: it makes one daily visitor, of the article where the day began."""

    site: str
    day: int
    visitor: int
    """The 16 hex digits as a signed number of 64 bits."""
    article: str
    step: int
    hour: int


class Online(NamedTuple):
    """Readers of a site or an article, by the 5-second step in which they were last seen."""

    site: str
    article: str
    first_step: int
    readers: list[int]


@dataclass(slots=True)
class Deltas:
    """What a batch changes. Starts and days are seconds since 1970 UTC."""

    days: list[DayCount] = field(default_factory=list)
    spans: list[SpanCount] = field(default_factory=list)
    first_sights: list[FirstSight] = field(default_factory=list)
    """Candidates: the store drops those that an earlier batch has."""
    online: list[Online] = field(default_factory=list)
    """Replaces what was stored of these."""
    ledger: Counter[tuple[str, int, Outcome, str]] = field(default_factory=Counter)
    """(site, local day of arrival, outcome, reason) → events."""
    referrers: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    """(site, local day, host) → visits, in the order in which the hosts came."""
    dead_letters: list[DeadLetter] = field(default_factory=list)
    past_ids: list[PastIds] = field(default_factory=list)
    newest: int = 0
    """Time of the newest event, in milliseconds."""
    newest_arrived: int = 0


def count(
    records: Sequence[Record], memory: Memory, sites: Mapping[str, Site], past: list[PastIds] | None = None
) -> Deltas:
    """Fold records of one partition, in order, into deltas; `memory` moves on with them.

    Args:
        records: What follows the records that `memory` has seen.
        memory: Is changed.
        sites: By slug.
        past: Ids that left memory earlier; needed if `reaches_back(batch)`. Those that leave now are appended.
    """
    columns = Records.of(records)
    return count_batch(read(columns, sites), memory, columns, past)


def reaches_back(batch: Batch) -> bool:
    """Tell whether the batch has events so old that ids which left memory matter."""
    return bool(len(batch) and (batch.arrived - batch.at >= STALE_MILLISECONDS).any())


def count_batch(batch: Batch, memory: Memory, records: Records, past: list[PastIds] | None = None) -> Deltas:
    """Fold a batch that was read from `records`; see `count`."""
    deltas = Deltas()
    past = past if past is not None else []
    repeated = np.zeros(len(batch), np.bool_)
    begins = np.zeros(len(batch), np.bool_)
    first = np.zeros(len(batch), np.bool_)
    days = _local_days(batch.at, batch)
    for begin, end, slot, offset in _half_hours(records, batch, memory):
        if slot is not None:
            left = memory.enter(slot, offset)
            if left is not None:
                deltas.past_ids.append(left)
                past.append(left)
        part = slice(begin, end)
        repeated[part] = memory.ids.see(batch.id_hash[part], batch.id_low[part], memory.turn)
        _look_back(batch, part, repeated, memory, past)
        for number, site in enumerate(batch.sites):
            signs = begin + np.flatnonzero(
                (batch.site[part] == number) & (batch.bot[part] == 0) & batch.has_visitor[part] & ~repeated[part]
            )
            if site is not None and len(signs):
                readers = memory.readers.setdefault(site.slug, Readers())
                readers.advance(int(batch.arrived[signs].max()))
                begins[signs], first[signs] = _see(batch, signs, days, readers, memory.turn)
    _enter_ledger(batch, repeated, deltas)
    counted = ~repeated & (batch.bot == 0)
    views = np.flatnonzero(counted & (batch.kind == VIEW))
    _enter_counts(batch, views, begins, days, deltas)
    _enter_referrers(batch, views[begins[views]], days, deltas)
    _enter_sights(batch, np.flatnonzero(first), days, deltas)
    _enter_online(memory, deltas)
    deltas.newest = int(batch.at.max(initial=0))
    deltas.newest_arrived = int(records.arrived.max(initial=0))
    return deltas


def _half_hours(records: Records, batch: Batch, memory: Memory) -> list[tuple[int, int, int | None, int]]:
    """Cut the batch where half-hours begin: (begin, end, the half-hour that begins or None, its first offset)."""
    slots = np.maximum.accumulate(records.arrived // SLOT_MILLISECONDS)
    present = memory.slots[-1] if memory.slots else -1
    before = np.concatenate(([present], np.maximum(slots[:-1], present)))
    turns = np.flatnonzero(slots > before)
    offsets = records.offset[turns].tolist()
    places = np.searchsorted(batch.offset, offsets).tolist()
    cuts: list[tuple[int, int, int | None, int]] = []
    first_end = places[0] if places else len(batch)
    if first_end > 0:
        cuts.append((0, first_end, None, 0))
    for number, (turn, place, offset) in enumerate(zip(turns.tolist(), places, offsets, strict=True)):
        end = places[number + 1] if number + 1 < len(places) else len(batch)
        cuts.append((place, end, int(slots[turn]), offset))
    return cuts


def _look_back(batch: Batch, part: slice, repeated: Flags, memory: Memory, past: list[PastIds]) -> None:
    """Tell events that were counted before an outage: their ids have left memory, and their age says so."""
    if not past:
        return
    stale = (batch.arrived[part] - batch.at[part] >= STALE_MILLISECONDS) & ~repeated[part]
    places = part.start + np.flatnonzero(stale)
    for ids in past:
        if len(places) and ids.slot >= memory.slots[-1] - PAST_SLOTS and ids.closed_at <= batch.offset[part.start]:
            known = find(ids.id_hash, ids.id_low, batch.id_hash[places], batch.id_low[places]) >= 0
            repeated[places[known]] = True
            places = places[~known]


def _see(batch: Batch, signs: Integers, days: Integers, readers: Readers, turn: int) -> tuple[Flags, Flags]:
    articles = batch.article[signs]
    used = np.flatnonzero(np.bincount(articles))
    numbers = np.zeros(len(batch.articles), np.int64)
    numbers[used] = readers.number([batch.articles[number] for number in used.tolist()])
    return readers.see(
        Signs(
            batch.at[signs],
            batch.kind[signs],
            numbers[articles],
            days[signs],
            batch.visitor[signs],
            batch.visitor_prev[signs],
            batch.has_prev[signs],
        ),
        turn,
    )


def _local_days(times: Integers, batch: Batch) -> Integers:
    """Return the start of the local day of each time, in its event's site."""
    days = np.zeros(len(times), np.int64)
    quarters = times // (QUARTER_SECONDS * 1000)
    for number, site in enumerate(batch.sites):
        of_site = np.flatnonzero(batch.site == number)
        if site is not None and len(of_site):
            found, inverse = np.unique(quarters[of_site], return_inverse=True)
            starts = [day_start(quarter * QUARTER_SECONDS * 1000, site.zone) for quarter in found.tolist()]
            days[of_site] = np.array(starts, np.int64)[inverse]
    return days


def _enter_ledger(batch: Batch, repeated: Flags, deltas: Deltas) -> None:
    for letter, slug, arrived in batch.refusals:
        site = next((one for one in batch.sites if one is not None and one.slug == slug), None)
        day = day_start(arrived, site.zone) if site else arrived // 1000 // DAY_SECONDS * DAY_SECONDS
        deltas.dead_letters.append(letter)
        deltas.ledger[slug or UNKNOWN_SITE, day, "dead_lettered", letter.reason] += 1
    if not len(batch):
        return
    late = batch.arrived - batch.at > LATE_MILLISECONDS
    entry = np.where(repeated, DUPLICATE, np.where(batch.bot > 0, batch.bot - 1 + BOT, late))
    slugs = _slugs(batch)
    for (number, day, kind), events in _sums(batch.site, _local_days(batch.arrived, batch), entry):
        outcome, reason = _OUTCOMES[kind] if kind < BOT else ("bot", batch.bots[kind - BOT + 1])
        deltas.ledger[slugs[number], day, outcome, reason] += events[0]


def _slugs(batch: Batch) -> list[str]:
    return [site.slug if site else UNKNOWN_SITE for site in batch.sites]


def _enter_counts(batch: Batch, views: Integers, begins: Flags, days: Integers, deltas: Deltas) -> None:
    if not len(views):
        return
    site, visits, seconds = batch.site[views], begins[views].astype(np.int64), batch.at[views] // 1000
    slugs = _slugs(batch)
    for (number, article, day), sums in _sums(site, batch.article[views], days[views], extra=visits):
        if article:
            deltas.days.append(DayCount(slugs[number], batch.articles[article], day, *sums))
    for (number, day), sums in _sums(site, days[views], extra=visits):
        deltas.days.append(DayCount(slugs[number], WHOLE_SITE, day, *sums))
    for grain, length in (("step", STEP_SECONDS), ("hour", HOUR_SECONDS)):
        for (number, span), sums in _sums(site, seconds // length, extra=visits):
            deltas.spans.append(SpanCount(slugs[number], grain, span * length, *sums))  # type: ignore[arg-type]


def _sums(*columns: Integers, extra: Integers | None = None) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Group rows by columns: [(their values, (number of rows, sum of `extra`))]."""
    code, sizes, values = np.zeros(len(columns[0]), np.int64), [], []
    for column in columns:
        found, place = _places(column)
        code = code * len(found) + place
        sizes.append(len(found))
        values.append(found)
    groups, place = _places(code)
    totals = [np.bincount(place, minlength=len(groups))]
    if extra is not None:
        totals.append(np.bincount(place, weights=extra, minlength=len(groups)).astype(np.int64))
    there = np.flatnonzero(totals[0])
    groups = groups[there]
    keys: list[list[int]] = []
    for size, found in zip(reversed(sizes), reversed(values), strict=True):
        keys.append(found[groups % size].tolist())
        groups = groups // size
    sums = zip(*(total[there].tolist() for total in totals), strict=True)
    return list(zip(zip(*reversed(keys), strict=True), sums, strict=True))


def _places(column: Integers) -> tuple[Integers, Integers]:
    """Return values, and where among them each row's is. Values that lie close together need no sorting."""
    lowest = column.min()
    if column.max() - lowest <= 4 * len(column):
        return np.arange(lowest, column.max() + 1), column - lowest
    return np.unique(column, return_inverse=True)


def _enter_referrers(batch: Batch, visits: Integers, days: Integers, deltas: Deltas) -> None:
    """Note where each visit came from: the referrer of the view that begins it."""
    slugs = _slugs(batch)
    own = [own_hosts(site) if site else frozenset() for site in batch.sites]
    rows = zip(batch.site[visits].tolist(), days[visits].tolist(), batch.referrer[visits].tolist(), strict=True)
    for (site, day, referrer), number in Counter(rows).items():
        deltas.referrers[slugs[site], day, host_of(batch.referrers[referrer], own[site])] += number


def own_hosts(site: Site) -> frozenset[str]:
    """Return the host names of the site itself, without "www."."""
    return frozenset((urlsplit(origin).hostname or "").removeprefix("www.") for origin in site.origins)


def host_of(referrer: str | None, own: frozenset[str]) -> str:
    """Return the host that a visit is put down to."""
    if referrer is None:
        return DIRECT
    host = referrer.lower().removeprefix("www.")
    if host in own:
        return DIRECT
    return host if _HOST.fullmatch(host) else OTHER_HOSTS


def _enter_sights(batch: Batch, sights: Integers, days: Integers, deltas: Deltas) -> None:
    if not len(sights):
        return
    seconds = batch.at[sights] // 1000
    columns = (
        batch.site[sights],
        days[sights],
        batch.visitor[sights].view(np.int64),
        batch.article[sights],
        seconds // STEP_SECONDS * STEP_SECONDS,
        seconds // HOUR_SECONDS * HOUR_SECONDS,
    )
    slugs = _slugs(batch)
    for site, day, visitor, article, step, hour in zip(*(column.tolist() for column in columns), strict=True):
        name = batch.articles[article] or WHOLE_SITE
        deltas.first_sights.append(FirstSight(slugs[site], day, visitor, name, step, hour))


def _enter_online(memory: Memory, deltas: Deltas) -> None:
    for site, readers in memory.readers.items():
        if readers.changed:
            names = list(readers.articles)
            numbers = sorted(readers.changed)
            for number, (first_step, people) in zip(numbers, readers.online(numbers), strict=True):
                deltas.online.append(Online(site, names[number] or WHOLE_SITE, first_step, people))
            readers.changed = set()
