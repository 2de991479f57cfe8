"""Options of the command line."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Sizes and seed of the benchmarks."""

    events: int
    rounds: int
    visitors: int
    seed: int
    articles: int
    history: int
