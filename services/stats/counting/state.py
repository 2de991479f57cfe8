"""What a counter remembers of one partition: ids, readers, and when they were seen. Pure.

The log of a partition is divided into half-hours of arrival. What was last touched in this half-hour or in one of
the two before it *in which anything arrived* is remembered: an hour at least, and an outage of any length does not
count. Batches are cut where half-hours begin, so what is remembered depends on the log alone, never on how it was
fetched. That makes the memory a cache: a snapshot of it, or the log itself, rebuilds it exactly.
"""

from dataclasses import dataclass, field

import numpy as np

from services.stats.counting.decoding import LEAVE, VIEW, Flags, Integers, Keys
from services.stats.counting.seen_ids import Ids, PastIds, Small, _integers, _keys, _small

SLOT_MILLISECONDS = 1_800_000
REMEMBERED_TURNS = 2
PAST_SLOTS = 98
"""Ids that left memory tell late events for 49 hours more: an event may be 48 hours late."""
VISIT_MILLISECONDS = 1_800_000
ONLINE_STEP_MILLISECONDS = 5_000
NOT_ONLINE = -1
RING_STEPS = 128
RING_BEHIND = 62
"""Steps kept behind the newest arrival: 300 s of being online, and 5 minutes that an event may be ahead."""


@dataclass(slots=True)
class Signs:
    """Human signs of one site that have a visitor key, in order, as columns."""

    at: Integers
    kind: Integers
    article: Integers
    """Numbers of `Readers.articles`."""
    day: Integers
    visitor: Keys
    visitor_prev: Keys
    has_prev: Flags


@dataclass(slots=True)
class Readers:
    """The readers of one site: their keys, sorted, and a row for each person."""

    key: Keys = field(default_factory=_keys)
    key_row: Small = field(default_factory=_small)
    key_day: Integers = field(default_factory=_integers)
    """The local day for which the key was handed on as a visitor; -1 before that."""
    at: Integers = field(default_factory=_integers)
    """Newest view or ping."""
    step: Small = field(default_factory=_small)
    """The 5-second step in which the reader was last seen, or NOT_ONLINE."""
    article: Small = field(default_factory=_small)
    """Where the last view was."""
    turn: Small = field(default_factory=_small)
    articles: dict[str | None, int] = field(default_factory=lambda: {None: 0})
    ring: Small = field(default_factory=lambda: np.zeros((1, RING_STEPS), np.int32))
    """Readers by article (0: the whole site) and by step modulo RING_STEPS."""
    ring_step: int = 0
    """Step of the newest arrival that the ring has been moved to."""
    changed: set[int] = field(default_factory=set)
    """Articles whose row of the ring has changed since it was last stored."""

    def number(self, names: list[str | None]) -> Integers:
        """Return the articles' numbers; new ones get one."""
        numbers = [self.articles.setdefault(name, len(self.articles)) for name in names]
        missing = len(self.articles) - len(self.ring)
        if missing > 0:  # at least doubled, so that growing costs little
            grown = max(missing, len(self.ring))
            self.ring = np.concatenate((self.ring, np.zeros((grown, RING_STEPS), np.int32)))
        return np.array(numbers, np.int64)

    def see(self, signs: Signs, turn: int) -> tuple[Flags, Flags]:
        """Move readers on; return which signs begin a visit, and which are the first sight of a key's day."""
        row = self._rows_of(signs, turn)
        begins = np.zeros(len(row), np.bool_)
        known = np.flatnonzero(row >= 0)
        if len(known):
            begins[known] = self._move(row[known], signs.at[known], signs.kind[known], signs.article[known], turn)
        return begins, self._first_sights(signs)

    def _rows_of(self, signs: Signs, turn: int) -> Integers:
        """Return each sign's row, making rows for new readers; -1 for a leave of nobody known."""
        row = self._find(signs.visitor)
        unknown = np.flatnonzero(row < 0)
        if not len(unknown):
            return row
        rows_before = len(self.at)
        if signs.has_prev[unknown].any() or (signs.kind[unknown] == LEAVE).any():
            keys, rows = self._introduce(signs, unknown, row)
        else:
            keys, inverse = np.unique(signs.visitor[unknown], return_inverse=True)
            rows = rows_before + np.arange(len(keys))
            row[unknown] = rows[inverse]
        where = np.searchsorted(self.key, keys)
        self.key = np.insert(self.key, where, keys)
        self.key_row = np.insert(self.key_row, where, rows.astype(np.int32))
        self.key_day = np.insert(self.key_day, where, -1)
        new = int(rows.max(initial=-1)) + 1 - rows_before
        if new > 0:
            self.at = np.concatenate((self.at, np.full(new, -1, np.int64)))
            self.step = np.concatenate((self.step, np.full(new, NOT_ONLINE, np.int32)))
            self.article = np.concatenate((self.article, np.zeros(new, np.int32)))
            self.turn = np.concatenate((self.turn, np.full(new, turn, np.int32)))
        return row

    def _introduce(self, signs: Signs, unknown: Integers, row: Integers) -> tuple[Keys, Integers]:
        """Meet unknown keys one by one, since one may be another's of yesterday; return new keys, sorted, and rows."""
        before = self._find(signs.visitor_prev[unknown])
        rows = len(self.at)
        met: dict[int, int] = {}
        for place, known_before in zip(unknown.tolist(), before.tolist(), strict=True):
            key = int(signs.visitor[place])
            who = met.get(key)
            if who is None:
                prev = int(signs.visitor_prev[place]) if signs.has_prev[place] else None
                if prev is not None:
                    who = known_before if known_before >= 0 else met.get(prev)
                if who is None:
                    if signs.kind[place] == LEAVE:
                        continue  # who was never here cannot leave
                    who, rows = rows, rows + 1
                    if prev is not None:
                        met[prev] = who
                met[key] = who
            row[place] = who
        keys = np.array(sorted(met), np.uint64)
        return keys, np.array([met[int(key)] for key in keys], np.int64)

    def _find(self, keys: Keys) -> Integers:
        place = np.searchsorted(self.key, keys)
        if not len(self.key):
            return np.full(len(keys), -1, np.int64)
        inside = np.minimum(place, len(self.key) - 1)
        return np.where(self.key[inside] == keys, self.key_row[inside], -1).astype(np.int64)

    def _move(self, row: Integers, at: Integers, kind: Integers, article: Integers, turn: int) -> Flags:
        """Fold each reader's signs, in order, into its row; return which begin a visit."""
        order = np.argsort(row, kind="stable")
        row, at, kind, article = row[order], at[order], kind[order], article[order]
        first = np.ones(len(row), np.bool_)
        first[1:] = row[1:] != row[:-1]
        starts = np.flatnonzero(first)
        person = row[starts]
        # Times from the oldest that matters on; who is new, or was last seen before it, was seen just before a visit.
        base = int(at.min()) - VISIT_MILLISECONDS - 1
        time = at - base
        seen_before = np.maximum(self.at[person] - base, 0)
        signs = np.where(kind == LEAVE, 0, time)
        newest = np.concatenate(([0], signs[:-1]))
        newest[starts] = seen_before
        # One running maximum for all readers: each one's times are lifted above all times of those before.
        lift = (np.cumsum(first) - 1) * (int(max(time.max(), seen_before.max())) + 1)
        newest = np.maximum.accumulate(newest + lift) - lift
        begins = (kind == VIEW) & (time - newest > VISIT_MILLISECONDS)
        current = time >= newest  # a late sign does not move a reader back
        number = np.arange(len(row))
        last = np.maximum.reduceat(np.where(current, number, -1), starts)
        last_view = np.maximum.reduceat(np.where(current & (kind == VIEW), number, -1), starts)
        step = np.where(kind == LEAVE, NOT_ONLINE, at // ONLINE_STEP_MILLISECONDS)
        self._move_online(
            person,
            np.where(last >= 0, step[last], self.step[person]),
            np.where(last_view >= 0, article[last_view], self.article[person]),
        )
        newest_sign = np.maximum.reduceat(signs, starts)  # 0 if all were leaves
        self.at[person] = np.maximum(self.at[person], np.where(newest_sign > 0, newest_sign + base, -1))
        self.turn[person] = turn
        back = np.empty(len(order), np.bool_)
        back[order] = begins
        return back

    def _move_online(self, person: Integers, step: Integers, article: Integers) -> None:
        old_step, old_article = self.step[person], self.article[person]
        moved = (old_step != step) | (old_article != article)
        self._ring_add(old_article[moved], old_step[moved], -1)
        self._ring_add(article[moved], step[moved], +1)
        self.step[person], self.article[person] = step, article

    def _ring_add(self, article: Integers | Small, step: Integers | Small, change: int) -> None:
        inside = (step >= self.ring_step - RING_BEHIND) & (step != NOT_ONLINE)
        article, step = article[inside], step[inside] % RING_STEPS
        np.add.at(self.ring[0], step, change)
        on_article = article > 0
        np.add.at(self.ring, (article[on_article], step[on_article]), change)
        if len(step):
            self.changed.add(0)
            self.changed.update(np.unique(article[on_article]).tolist())

    def _first_sights(self, signs: Signs) -> Flags:
        """Tell which views hand a key on as a visitor of its day: the first ones of days not handed on yet."""
        first = np.zeros(len(signs.at), np.bool_)
        views = np.flatnonzero(signs.kind == VIEW)
        if len(views):
            place = np.searchsorted(self.key, signs.visitor[views])
            fresh = self.key_day[place] != signs.day[views]
            self.key_day[place] = signs.day[views]
            views, place = views[fresh], place[fresh]
            days, day = np.unique(signs.day[views], return_inverse=True)
            _, firsts = np.unique(place * max(1, len(days)) + day, return_index=True)
            first[views[firsts]] = True
        return first

    def advance(self, arrived: int) -> None:
        """Move the ring on to the newest arrival: steps that fell out of it are free for new ones."""
        step = arrived // ONLINE_STEP_MILLISECONDS
        if step <= self.ring_step:
            return
        free = np.arange(max(self.ring_step, step - RING_STEPS) + 1, step + 1) + (RING_STEPS - RING_BEHIND - 1)
        self.ring[:, free % RING_STEPS] = 0
        self.ring_step = step

    def online(self, numbers: list[int]) -> list[tuple[int, list[int]]]:
        """Return for each article the first step and the readers in each step from there, without zeros around."""
        begin = self.ring_step - RING_BEHIND
        steps = self.ring[numbers][:, np.arange(begin, begin + RING_STEPS) % RING_STEPS]
        filled = steps != 0
        firsts = filled.argmax(1)
        ends = np.where(filled.any(1), RING_STEPS - filled[:, ::-1].argmax(1), firsts)
        edges = zip(steps, firsts.tolist(), ends.tolist(), strict=True)
        return [(begin + first, row[first:end].tolist()) for row, first, end in edges]

    def forget(self, before_turn: int) -> None:
        """Drop readers last touched before a turn, their keys, and articles that nobody is on."""
        kept = self.turn >= before_turn
        new_row = np.cumsum(kept) - 1
        keys = kept[self.key_row]
        self.key, self.key_day = self.key[keys], self.key_day[keys]
        self.key_row = new_row[self.key_row[keys]].astype(np.int32)
        self.at, self.step, self.turn = self.at[kept], self.step[kept], self.turn[kept]
        self.article = self.article[kept]
        self._drop_articles()

    def _drop_articles(self) -> None:
        used = np.unique(np.concatenate(([0], self.article, sorted(self.changed))).astype(np.int64))
        number = np.zeros(len(self.ring), np.int32)
        number[used] = np.arange(len(used))
        self.articles = {name: int(number[old]) for name, old in self.articles.items() if old == 0 or number[old]}
        self.article = number[self.article]
        self.changed = {int(number[old]) for old in self.changed}
        self.ring = self.ring[used]

    def refill(self) -> None:
        """Make the ring anew from the rows."""
        self.ring = np.zeros((max(1, len(self.articles)), RING_STEPS), np.int32)
        self._ring_add(self.article, self.step, +1)


@dataclass(slots=True)
class Memory:
    """What one partition remembers."""

    turn: int = 0
    slots: list[int] = field(default_factory=list)
    """The half-hours of the newest turns, the present one last."""
    ids: Ids = field(default_factory=Ids)
    readers: dict[str, Readers] = field(default_factory=dict)
    """By site."""

    def enter(self, slot: int, offset: int) -> PastIds | None:
        """Begin a half-hour: forget what is too old, and return the ids that left."""
        self.turn += 1
        self.slots.append(slot)
        if len(self.slots) <= REMEMBERED_TURNS + 1:
            return None
        oldest = self.slots.pop(0)
        hashes, lows = self.ids.forget(self.turn - REMEMBERED_TURNS)
        for readers in self.readers.values():
            readers.forget(self.turn - REMEMBERED_TURNS)
        return PastIds(offset, oldest, hashes, lows) if len(hashes) else None

    @property
    def entries(self) -> int:
        """Number of ids and readers that are remembered."""
        return len(self.ids.hash) + sum(len(readers.key) for readers in self.readers.values())
