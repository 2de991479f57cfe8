"""What the finding says of generated days, against their truth."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from services.stats.counting.decoding import RawBatch, decode
from services.stats.counting.evidence import OTHERS, EvidenceRow
from services.stats.counting.exclusions import Exclusion, ExclusionSearch
from services.stats.counting.rules import fold
from services.stats.counting.state import PartitionState
from services.stats.suspects.evidence_reader import SMALL_MAX
from services.stats.suspects.finding import GroupNumbers, Suspect, find_suspects
from shared.sites import Sites
from tests.stats.suspects.traffic import HOUR, MIDNIGHT, SITE, Traffic

BATCH = 20_000


def evidence_of(traffic: Traffic, until_ms: int | None = None) -> list[EvidenceRow]:
    """Return the rows that a counter has stored when all records until an instant have arrived."""
    rows: list[EvidenceRow] = []
    for records in traffic.partitions.values():
        state = PartitionState()
        arrived = [one for one in records if until_ms is None or one.arrived < until_ms]
        for begin in range(0, len(arrived), BATCH):
            rows += fold(arrived[begin : begin + BATCH], state, Sites({SITE.slug: SITE}), []).evidence
    return rows


def groups_of(rows: Sequence[EvidenceRow]) -> list[GroupNumbers]:
    """Return the groups of the day, as the query `evidence` does."""
    sums: defaultdict[tuple[int | None, int], Counter[str]] = defaultdict(Counter)
    bits: defaultdict[tuple[int | None, int], int] = defaultdict(int)
    for row in rows:
        if row.hour * 1000 >= MIDNIGHT:
            for hour in (row.hour, None):
                sums[hour, row.agent].update(views=row.views, arrivals=row.arrivals, confirmed=row.confirmed)
                bits[hour, row.agent] |= int.from_bytes(row.networks)
    after = {(hour and hour - 3_600, agent): one["confirmed"] for (hour, agent), one in sums.items() if hour}
    merged: defaultdict[tuple[int | None, int], Counter[str]] = defaultdict(Counter)
    for (hour, agent), one in sums.items():
        is_small = agent == OTHERS or one["arrivals"] - one["confirmed"] < SMALL_MAX
        merged[hour, OTHERS if is_small else agent] += one
    return [
        GroupNumbers(
            *(hour, agent, one["views"], one["arrivals"], one["confirmed"], bits[hour, agent].bit_count()),
            confirmed_after=0 if agent == OTHERS else after.get((hour, agent), 0),
        )
        for (hour, agent), one in merged.items()
    ]


class Score(NamedTuple):
    """How much of the truth was named."""

    suspects: list[Suspect]
    recall: float
    """Of the visitors of fleets."""
    people: float
    """Share of all people."""
    kinds: Counter[str]
    """Named people by their crowd."""


def excluded_of(traffic: Traffic, suspects: Sequence[Suspect], until_ms: int | None = None) -> set[str]:
    """Return the visitor IDs that are taken out if all of these groups are."""
    until = MIDNIGHT + 48 * HOUR if until_ms is None else until_ms
    search = ExclusionSearch([Exclusion(one.name, SITE.slug, one.agent, one.begin, one.end, until) for one in suspects])
    if suspects:
        for records in traffic.partitions.values():
            for begin in range(0, len(records), BATCH):
                search.add(decode(RawBatch.of(records[begin : begin + BATCH]), Sites({SITE.slug: SITE})))
    return {f"{int(visitor):016x}" for found in search.found().values() for visitor in found}


def score(traffic: Traffic, until_ms: int | None = None) -> Score:
    """Compare who is taken out, of a day or of what has arrived until an instant, with the truth."""
    suspects = find_suspects(groups_of(evidence_of(traffic, until_ms)))
    excluded = excluded_of(traffic, suspects, until_ms)
    fleet = named = people = 0
    kinds: Counter[str] = Counter()
    for visitor, one in traffic.visitors.items():
        if until_ms is not None and one.first_view >= until_ms:
            continue
        fleet += one.crowd.is_fleet
        people += not one.crowd.is_fleet
        if visitor in excluded and one.crowd.is_fleet:
            named += 1
        elif visitor in excluded:
            kinds[one.crowd.kind] += 1
    return Score(suspects, named / fleet if fleet else 1.0, kinds.total() / people, kinds)
