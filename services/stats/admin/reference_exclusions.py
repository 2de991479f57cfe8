"""Exclusions in the reference model: which visitors turned out to be programs. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.stats.admin.reference_events import InvalidRecord, read_event

SHARED_NETWORK = 10
DAY_SECONDS_MAX = 25 * 3_600


class ExclusionRow(NamedTuple):
    """An exclusion that counts know: its group, span (seconds) and when it was made (milliseconds)."""

    id: str
    site: str
    agent: int
    begin: int
    end: int
    at: int


ExcludedVisitor = tuple[str, str]
"""(site, visitor ID in lower case)."""


class _Seen:
    """What the log says of one exclusion."""

    def __init__(self) -> None:
        self.in_span: set[ExcludedVisitor] = set()
        self.answered: set[ExcludedVisitor] = set()
        self.views: defaultdict[ExcludedVisitor, set[str]] = defaultdict(set)
        """Visitor → ids of its views."""
        self.networks: defaultdict[ExcludedVisitor, set[str]] = defaultdict(set)
        self.answers: defaultdict[str, set[ExcludedVisitor]] = defaultdict(set)
        """Network → visitors of any group whose pages answered."""

    def visitors(self) -> set[ExcludedVisitor]:
        found = {one for one in self.in_span - self.answered if len(self.views[one]) == 1}
        programs = Counter(network for one in found for network in self.networks[one])
        shared = {network for network, count in programs.items() if len(self.answers[network]) > SHARED_NETWORK * count}
        return {one for one in found if not self.networks[one] & shared}


class ExclusionModel:
    """Finds the visitors of exclusions: they opened one page as one of the group, in the span, and never answered.

    Those stay in whose network are more than ten visitors whose pages answered for each of them.
    """

    def __init__(self, exclusions: Iterable[ExclusionRow]) -> None:
        self._exclusions = {one.id: (one, _Seen()) for one in exclusions}

    def add(self, arrived: int, value: bytes | None) -> None:
        """Add a record."""
        try:
            event = read_event(value)
        except InvalidRecord:
            return
        if event.visitor is None or event.client is None or event.bot is not None:
            return
        visitor, network = (event.site, event.visitor.lower()), event.client[8:].lower()
        seconds = event.at / 1000
        for one, seen in self._exclusions.values():
            if event.site != one.site or arrived >= one.at:
                continue
            if event.kind != "view" and one.begin - DAY_SECONDS_MAX <= seconds < one.end + DAY_SECONDS_MAX:
                seen.answers[network].add(visitor)
            if int(event.client[:8], 16) != one.agent:
                continue
            if event.kind != "view":
                seen.answered.add(visitor)
                continue
            seen.views[visitor].add(event.id.lower())
            seen.networks[visitor].add(network)
            if one.begin <= seconds < one.end:
                seen.in_span.add(visitor)

    def found(self) -> dict[str, set[ExcludedVisitor]]:
        """Return the visitors of each exclusion."""
        return {name: seen.visitors() for name, (_, seen) in self._exclusions.items()}


def excluded_visitors(
    records: Mapping[int, Iterable[tuple[int, int, bytes | None]]], exclusions: Iterable[ExclusionRow]
) -> dict[str, set[ExcludedVisitor]]:
    """Return the visitors of each exclusion in a whole log; see `reference_model.recount`."""
    model = ExclusionModel(list(exclusions))
    for of_partition in records.values():
        for _, arrived, value in of_partition:
            model.add(arrived, value)
    return model.found()
