"""What can be chosen on the command line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """How much is measured."""

    events: int
    rounds: int
    visitors: int
    seed: int
    articles: int
