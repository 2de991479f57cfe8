"""What the finding of programs among visitors says of generated days, against their truth."""

from concurrent.futures import Executor
from statistics import mean

from tests.bench.infrastructure import Infrastructure
from tests.bench.options import Options
from tests.stats.suspects.scores import Score, score
from tests.stats.suspects.traffic import FLEETS, HOUR, MIDNIGHT, PEOPLE, Crowd, day_of

SEEDS = 10


def suspects(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Generate days of people and fleets, ten seeds each, and say how much of each is named."""
    people = sum(one.visitors for one in PEOPLE)
    print(f"  {SEEDS} days each of {people:,} people: {', '.join(f'{one.visitors:,} {one.kind}' for one in PEOPLE)}")
    print(
        f"  {'day with':<38}{'programs':>8}{'named, mean':>18}{'least':>9}{'people, mean':>18}{'most':>9}{'groups':>9}"
    )
    for fleet in (None, *FLEETS):
        days = [(seed, fleet, None) for seed in range(options.seed, options.seed + SEEDS)]
        _print(fleet, "", list(pool.map(_score, days)))
        if fleet is FLEETS[0]:
            first_hour = MIDNIGHT + (FLEETS[0].hours or (0, 0))[0] * HOUR + HOUR
            _print(fleet, ", first hour", list(pool.map(_score, [(seed, fleet, first_hour) for seed, _, _ in days])))
    print("  Somebody is named whose page did not answer and whose first view is in the hours of the group.")


def _score(day: tuple[int, Crowd | None, int | None]) -> Score:
    seed, fleet, until_ms = day
    return score(day_of(seed, PEOPLE if fleet is None else [*PEOPLE, fleet]), until_ms)


def _print(fleet: Crowd | None, when: str, scores: list[Score]) -> None:
    kind, programs = ("people only", 0) if fleet is None else (fleet.kind, fleet.visitors)
    recalls, people = [one.recall for one in scores], [one.people for one in scores]
    groups = mean(len(one.suspects) for one in scores)
    found = f"{mean(recalls):>18.2%}{min(recalls):>9.2%}" if programs else " " * 27
    print(f"  {kind + when:<38}{programs:>8,}{found}{mean(people):>18.3%}{max(people):>9.3%}{groups:>9.1f}", flush=True)
