"""Exclusions in the reference model: which visitors turned out to be programs. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.stats.admin.reference_events import InvalidRecord, read_event


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


class ExclusionModel:
    """Finds the visitors of exclusions: they viewed as one of the group in the span, and never answered."""

    def __init__(self, exclusions: Iterable[ExclusionRow]) -> None:
        self.seen: dict[str, set[ExcludedVisitor]] = {one.id: set() for one in exclusions}
        self._answered: dict[str, set[ExcludedVisitor]] = {name: set() for name in self.seen}
        self._exclusions = list(exclusions)

    def add(self, arrived: int, value: bytes | None) -> None:
        """Add a record."""
        try:
            event = read_event(value)
        except InvalidRecord:
            return
        if event.visitor is None or event.client is None or event.bot is not None:
            return
        visitor = (event.site, event.visitor.lower())
        for one in self._exclusions:
            is_of_group = event.site == one.site and int(event.client[:8], 16) == one.agent
            if not is_of_group or arrived >= one.at:
                continue
            if event.kind != "view":
                self._answered[one.id].add(visitor)
            elif one.begin <= event.at / 1000 < one.end:
                self.seen[one.id].add(visitor)

    def found(self) -> dict[str, set[ExcludedVisitor]]:
        """Return the visitors of each exclusion."""
        return {name: visitors - self._answered[name] for name, visitors in self.seen.items()}


def excluded_visitors(
    records: Mapping[int, Iterable[tuple[int, int, bytes | None]]], exclusions: Iterable[ExclusionRow]
) -> dict[str, set[ExcludedVisitor]]:
    """Return the visitors of each exclusion in a whole log; see `reference_model.recount`."""
    model = ExclusionModel(list(exclusions))
    for of_partition in records.values():
        for _, arrived, value in of_partition:
            model.add(arrived, value)
    return model.found()
