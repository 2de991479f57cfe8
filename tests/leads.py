"""Moments ahead, by as much as the machine needs for what a test does before them."""

from collections.abc import Iterator
from datetime import timedelta

LONGER = 3
LEADS = 5


def leads(first_seconds: float) -> Iterator[timedelta]:
    """Yield ever longer times. The test uses one for its moment, and leaves the loop if it was done before that.

    Raises:
        AssertionError: the longest time was too short.
    """
    for number in range(LEADS):
        yield timedelta(seconds=first_seconds * LONGER**number)
    raise AssertionError("what must be done before a moment was never done in time")
