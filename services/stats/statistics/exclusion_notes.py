"""What tables and answers say of visitors who were taken out of their numbers later. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from shared.sites import Site


class ExclusionNote(NamedTuple):
    """A group that was taken out of the numbers later. All times are in seconds since 1970 UTC."""

    begin: int
    end: int
    at: int
    """When that was."""
    visitors: int
    is_excluded: bool
    """False: they were put back."""
    why: str


def touched(notes: Sequence[ExclusionNote], starts: Sequence[int]) -> list[bool]:
    """Return which buckets have hours of which somebody was taken out, or put back.

    Args:
        notes: Of the numbers.
        starts: Where the buckets begin, and the end of the last one.
    """
    return [any(one.begin < end and start < one.end for one in notes) for start, end in pairwise(starts)]


def notes_json(notes: Iterable[ExclusionNote], site: Site) -> list[dict[str, Any]]:
    """Return what answers say. The reason, which names people and causes, is for the audit alone."""
    return [
        {
            "from": datetime.fromtimestamp(one.begin, site.zone).isoformat(),
            "to": datetime.fromtimestamp(one.end, site.zone).isoformat(),
            "at": datetime.fromtimestamp(one.at, site.zone).isoformat(),
            "visitors": one.visitors,
            "excluded": one.is_excluded,
        }
        for one in notes
    ]
