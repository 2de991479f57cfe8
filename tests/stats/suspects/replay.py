"""What is counted and named of a replayed day, against its truth."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from services.stats.counting.rules import fold
from services.stats.counting.state import PartitionState
from services.stats.suspects.finding import find_suspects
from shared.sites import Sites
from tests.stats.suspects.access_log import COMING, CRAWLERS, CROWDS, STAYING, Line, access_log, collect
from tests.stats.suspects.scores import BATCH, excluded_of, groups_of
from tests.stats.suspects.traffic import SITE, Traffic


class CrowdRow(NamedTuple):
    """One crowd: what it did, and what is counted of it."""

    kind: str
    visitors: int
    """Of a day, by address and user agent: who stays over midnight is two."""
    counted_visitors: int
    views: int
    counted_views: int
    visits: int
    bots: int
    """Events that the collector took for those of bots."""
    excluded: int
    """Visitors that are taken out if all suspects are."""


class Found(NamedTuple):
    """How exactly one kind of thing is found."""

    kind: str
    there: int
    named: int
    right: int

    @property
    def precision(self) -> float:
        """Share of what is named that is right."""
        return self.right / self.named if self.named else 1.0

    @property
    def recall(self) -> float:
        """Share of what is there that is named."""
        return self.right / self.there if self.there else 1.0


class Replay(NamedTuple):
    """A day against its truth."""

    crowds: list[CrowdRow]
    found: list[Found]


def replay(seed: int, part: float = 1.0) -> Replay:
    """Generate a day, collect, count and search it, and compare the result with what the day was."""
    lines = access_log(seed, part)
    collected = collect(lines)
    views, visits, outcomes = Counter[int](), Counter[int](), Counter[str]()
    visitors: set[tuple[int, int, int]] = set()
    evidence = []
    for records in collected.partitions.values():
        state, evicted = PartitionState(), []
        for begin in range(0, len(records), BATCH):
            deltas = fold(records[begin : begin + BATCH], state, Sites({SITE.slug: SITE}), evicted)
            for one in deltas.day_counts:
                if one.article:
                    views[int(one.article[:2])] += one.views
                    visits[int(one.article[:2])] += one.visits
            visitors |= {(int(one.article[:2]), one.day, one.visitor) for one in deltas.daily_visitors if one.article}
            for (_, _, outcome, _), events in deltas.ledger.items():
                outcomes[outcome] += events
            evidence += deltas.evidence
    suspects = find_suspects(groups_of(evidence))
    excluded = Counter(collected.visitors[one] for one in excluded_of(Traffic(collected.partitions), suspects))
    counted = Counter(crowd for crowd, _, _ in visitors)
    bots, of_crowd = Counter(collected.bots), Counter(collected.visitors.values())
    wanted = Counter({number: len(ids) for number, ids in _views(lines).items()})
    rows = [
        CrowdRow(crowd.kind, of_crowd[n], counted[n], wanted[n], views[n], visits[n], bots[n], excluded[n])
        for n, crowd in enumerate(CROWDS)
    ]
    return Replay(rows, [*_programs(rows, collected.bots, lines), *_repeated(rows, lines, outcomes["duplicate"])])


def _views(lines: Sequence[Line]) -> dict[int, set[object]]:
    views: dict[int, set[object]] = {}
    for line in lines:
        if line.kind == "view":
            views.setdefault(line.crowd, set()).add(line.id)
    return views


def _programs(rows: Sequence[CrowdRow], bots: Sequence[int], lines: Sequence[Line]) -> list[Found]:
    crawlers = CROWDS.index(CRAWLERS)
    programs = [row for n, row in enumerate(rows) if CROWDS[n].is_fleet or n == crawlers]
    return [
        Found(
            "visitors that are programs",
            sum(row.visitors for row in programs),
            sum(row.excluded for row in rows),
            sum(row.excluded for row in programs),
        ),
        Found("events of crawlers", sum(one.crowd == crawlers for one in lines), len(bots), bots.count(crawlers)),
    ]


def _repeated(rows: Sequence[CrowdRow], lines: Sequence[Line], duplicates: int) -> list[Found]:
    """Events that were sent again, and people over midnight, whose second half is no new visit.

    A view that is taken for a repetition by mistake is missing in the counts of its crowd.
    """
    repeated = len(lines) - len({line.id for line in lines})
    missing = sum(max(0, row.views - row.counted_views) for row in rows if row.kind != CRAWLERS.kind)
    staying, coming = rows[CROWDS.index(STAYING)], rows[CROWDS.index(COMING)]
    people = staying.visitors // 2
    joined = staying.visitors - staying.visits
    wrongly = coming.visitors - coming.visits
    return [
        Found("events that were sent again", repeated, duplicates, duplicates - missing),
        Found("visits over midnight", people, joined + wrongly, joined),
    ]
