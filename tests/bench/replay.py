"""Days of access logs whose truth is known, replayed through the collector's functions, the fold and the finding."""

from concurrent.futures import Executor
from statistics import mean

from tests.bench.infrastructure import Infrastructure
from tests.bench.options import Options
from tests.stats.suspects.replay import replay as replay_day

SEEDS = 10


def replay(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Replay days of access logs, and print what is counted and named beside what they were."""
    days = list(pool.map(replay_day, range(options.seed, options.seed + SEEDS)))
    print(f"  The day of seed {options.seed}:")
    print("| | visitors | counted | views | counted | visits | events as bots | visitors taken out |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in days[0].crowds:
        print(f"| {row.kind} | " + " | ".join(f"{number:,}" for number in row[1:]) + " |")
    print(f"\n  {SEEDS} days from seed {options.seed}:")
    print("| | there | named | precision, mean | least | recall, mean | least |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kinds in zip(*(day.found for day in days), strict=True):
        numbers = [f"{mean(one.there for one in kinds):,.0f}", f"{mean(one.named for one in kinds):,.0f}"]
        for shares in ([one.precision for one in kinds], [one.recall for one in kinds]):
            numbers += [f"{mean(shares):.3%}", f"{min(shares):.3%}"]
        print(f"| {kinds[0].kind} | " + " | ".join(numbers) + " |")
