"""`python -m tests.chaos [--seed N] [--minutes M] [--small] [name …]`: all faults under load, then negative controls.

After the faults, `verify`, a restart of the counters and a rebuild must find and show the same numbers.
Prints its seed first: the same seed gives the same events and the same order of faults. Exit code 1 if a number was
wrong, or if a broken counter was not detected.
"""

import argparse
import asyncio
import os
import random
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.assertions import Verdict
from tests.chaos.cluster import Cluster
from tests.chaos.faults import FAULTS, FaultRunner
from tests.chaos.negative_controls import CONTROLS, run_control
from tests.soak.limits import HEAD, Limits, limits_of_counters, small_settings

FINDINGS_SHOWN = 12


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="default: another each time")
    parser.add_argument(
        "--minutes", type=float, default=0, help="repeat the faults for this long; default: each one once"
    )
    parser.add_argument(
        "--small", action="store_true", help="within the memory limits of deploy/compose/small.yml; needs root"
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join([*FAULTS, *CONTROLS]))
    given = parser.parse_args()
    for name in given.names:
        if name not in FAULTS and name not in CONTROLS:
            parser.error(f"there is no {name!r}; choose from {', '.join([*FAULTS, *CONTROLS])}")
    return given


def order_of(names: list[str], chance: random.Random, until: float) -> Iterator[str]:
    """Yield each name once in random order, and again in another order while time remains."""
    while True:
        yield from chance.sample(names, len(names))
        if time.monotonic() > until or not names:
            return


async def run_faults(cluster: Cluster, names: list[str], seed: int, minutes: float) -> bool:
    """Run faults one after the other on one system; return whether all counts were exact."""
    runner, good = FaultRunner(cluster, seed), True
    try:
        for name in order_of(names, random.Random(seed), time.monotonic() + minutes * 60):
            begun = time.monotonic()
            try:
                verdict = await runner.run(FAULTS[name])
            except (AssertionError, TimeoutError) as error:
                verdict = Verdict(findings=[f"the fault was not injected, or the system did not recover: {error!r}"])
            good = good and not verdict.findings
            line(name, begun, verdict, "wrong" if verdict.findings else "exact")
            show(verdict.findings)
        begun, verdict = time.monotonic(), await runner.finish()
        good = good and not verdict.findings
        line("verify, restart, rebuild", begun, verdict, "wrong" if verdict.findings else "exact")
        show(verdict.findings)
    finally:
        await runner.close()
    return good


async def run_controls(cluster: Cluster, names: list[str], seed: int) -> bool:
    """Run negative controls; return whether each intact counter was exact and each broken one was detected."""
    good = True
    for name in names:
        begun = time.monotonic()
        intact, broken = await run_control(cluster, CONTROLS[name], seed)
        right = not intact.findings and bool(broken.findings)
        good = good and right
        status = "detected" if broken.findings else "NOT DETECTED"
        line(f"broken: {name}", begun, broken, status)
        if intact.findings:
            line("  the intact counter", begun, intact, "wrong")
            show(intact.findings)
    return good


def line(name: str, begun: float, verdict: Verdict, status: str) -> None:
    numbers = f"{verdict.records:>8} events {verdict.lost:>6} lost {verdict.doubled:>6} doubled"
    print(f"{name:<32}{time.monotonic() - begun:>6.1f} s {numbers}   {status}", flush=True)


def show(findings: list[str]) -> None:
    for finding in findings[:FINDINGS_SHOWN]:
        print(f"    {finding}")
    if len(findings) > FINDINGS_SHOWN:
        print(f"    and {len(findings) - FINDINGS_SHOWN} more")


def are_kept(limits: Limits) -> bool:
    """Print the peaks; return whether the kernel has ended no process for its memory."""
    print("\n".join([HEAD, *limits.report()]), flush=True)
    return not limits.killed()


async def main() -> int:
    given = arguments()
    print(f"seed {given.seed}", flush=True)
    wanted = given.names or [*FAULTS, *CONTROLS]
    with tempfile.TemporaryDirectory(prefix="presstally-chaos-") as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster(Path(folder))
        limits = Limits(f"presstally-chaos-{os.getpid()}", limits_of_counters()) if given.small else None
        if limits is not None:
            cluster.limit(limits.command, small_settings()["stats"])
        # On SIGTERM everything that was started is stopped, too.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
        try:
            await cluster.start()
            faults = [name for name in wanted if name in FAULTS]
            good = not faults or await run_faults(cluster, faults, given.seed, given.minutes)
            good = await run_controls(cluster, [name for name in wanted if name in CONTROLS], given.seed) and good
            good = (limits is None or are_kept(limits)) and good
        finally:
            await cluster.stop()
            if limits is not None:
                limits.remove()
    print("all counts exact, every broken counter detected" if good else f"FAILED; repeat with --seed {given.seed}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
