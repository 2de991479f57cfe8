"""`python -m tests.soak [MINUTES] [--seed N] [--rate N] [--small] [--report FILE]`: half an hour of load with faults.

With `--small`, in the processes and the memory limits of a small server. Exit code 1 if an assertion failed; the report
names it. The same seed gives the same order of faults.
"""

import argparse
import asyncio
import os
import platform
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from shared import __version__
from tests.conftest import ROOT
from tests.soak import faults
from tests.soak.assertions import Findings, check, compare_memory, stop_roles
from tests.soak.editor_load import EditorLoad
from tests.soak.limits import HEAD, Limits, limits_of_processes
from tests.soak.load import EVENTS_PER_SECOND, Load
from tests.soak.measurements import MemorySampler, Probe
from tests.soak.report import SoakResult, calm, drawing, page, quantile
from tests.soak.system import SMALL_ROLES, SMALL_UPSTREAMS, RunningSystem

DRAIN_SECONDS = 120.0
REPORT = ROOT / "docs/soak.md"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float, nargs="?", default=30.0, help="default: 30")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="default: another each time")
    parser.add_argument(
        "--small", action="store_true", help="within the limits of deploy/compose/small.yml; needs root"
    )
    parser.add_argument(
        "--rate", type=float, default=EVENTS_PER_SECOND, help=f"events a second; default: {EVENTS_PER_SECOND:g}"
    )
    parser.add_argument("--report", type=Path, help="default: docs/soak.md, with docs/images/soak.svg; none if --small")
    given = parser.parse_args()
    given.report = given.report or (None if given.small else REPORT)
    return given


async def token(system: RunningSystem, scope: str) -> str:
    done = await system.command("services.ingest", "token", "create", "--name", f"soak {scope}", "--scope", scope)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def print_progress(  # noqa: PLR0917 - everything that it prints
    given: argparse.Namespace,
    begun: float,
    load: Load,
    probe: Probe,
    memory: MemorySampler,
    done: list[faults.InjectedFault],
) -> None:
    """Print a line each minute until cancelled."""
    minute = 0
    while True:
        minute += 1
        await asyncio.sleep(max(0.0, begun + minute * 60 - time.monotonic()))
        late = [delay for at, delay in probe.delays if at >= (minute - 1) * 60]
        print(
            f"minute {minute:>3} of {given.minutes:g}: {load.results.events:>8,} events acknowledged, "
            f"delay {quantile(late, 0.5):.2f} s (slowest {max(late, default=0):.1f} s), "
            f"{memory.total_mb():,.0f} MB, {len(load.results.failures)} requests failed, {len(done)} faults",
            flush=True,
        )


async def soak(system: RunningSystem, given: argparse.Namespace) -> SoakResult:
    """Run load and faults, check the results, and return them."""
    events, admin = await token(system, "events"), await token(system, "admin")
    begun, done = time.monotonic(), []
    load = Load(system.gateway_port, events, given.seed, given.rate)
    editors = EditorLoad(system.gateway_port, admin, load.results, load.live)
    probe, memory = Probe(system.gateway_port, begun), MemorySampler(system, begun)
    working = [asyncio.create_task(one.run()) for one in (load, editors, probe)]
    planned = faults.plan(given.minutes * 60, given.seed, faults.SMALL_FAULTS if given.small else faults.FAULTS)
    injecting = asyncio.create_task(faults.run(system, planned, begun, done))
    watching = [
        asyncio.create_task(one)
        for one in (system.restart_dead(), memory.run(), print_progress(given, begun, load, probe, memory, done))
    ]
    try:
        ended, _ = await asyncio.wait(
            [*working, *watching, injecting],
            timeout=begun + given.minutes * 60 - time.monotonic(),
            return_when=asyncio.FIRST_EXCEPTION,
        )
        for task in ended:
            task.result()
        for one in (load, editors, probe):
            one.stop()
        await asyncio.wait_for(asyncio.gather(*working, injecting), DRAIN_SECONDS)
        found = await check(system, load.results, probe, editors, done)
        compare_memory(memory, found)
    finally:
        for task in (*working, *watching, injecting):
            task.cancel()
        await asyncio.gather(*working, *watching, injecting, return_exceptions=True)
    await stop_roles(system, found)
    if system.limits is not None:
        print(HEAD)
        print("\n".join(system.limits.report()), flush=True)
        found.wrong += [
            f"the kernel ended {count} processes of {name}" for name, count in system.limits.killed().items()
        ]
    return collect_result(given, begun, load, editors, probe, memory, done, found, system)


def collect_result(  # noqa: PLR0917 - everything that the result consists of
    given: argparse.Namespace,
    begun: float,
    load: Load,
    editors: EditorLoad,
    probe: Probe,
    memory: MemorySampler,
    done: list[faults.InjectedFault],
    found: Findings,
    system: RunningSystem,
) -> SoakResult:
    command = ["git", "rev-parse", "--short", "HEAD"]
    revision = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return SoakResult(
        seed=given.seed,
        minutes=given.minutes,
        command=f'make soak ARGS="{given.minutes:g} --seed {given.seed}"',
        machine=f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}",
        version=f"{__version__} ({revision.stdout.strip()})",
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        results=load.results,
        found=found,
        runs=memory.runs,
        longest=[memory.longest(name) for name in memory.names()],
        delays=probe.delays,
        faults=[(one.at - begun, one.until - one.at, one.name) for one in done],
        restarts=system.killed,
        publications=[delay for article in editors.articles for delay in article.delays],
        steps=editors.steps,
        messages=load.messages,
    )


def write(result: SoakResult, report: Path) -> None:
    picture = report.parent / "images" / f"{report.stem}.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_text(drawing(result), encoding="utf-8")
    report.write_text(page(result, f"images/{picture.name}"), encoding="utf-8")


async def main() -> int:
    given = arguments()
    print(f"seed {given.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="presstally-soak-") as folder:
        Path(folder).chmod(0o755)
        limits = Limits(f"presstally-soak-{os.getpid()}", limits_of_processes()) if given.small else None
        system = (
            RunningSystem(Path(folder), SMALL_ROLES, SMALL_UPSTREAMS, limits)
            if given.small
            else RunningSystem(Path(folder))
        )
        # On SIGTERM everything that was started is stopped, too.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
        try:
            await system.start()
            result = await soak(system, given)
            if result.found.wrong:
                print(system.last_log_lines(), file=sys.stderr)
        except (AssertionError, TimeoutError):
            print(system.last_log_lines(), file=sys.stderr)
            raise
        finally:
            await system.stop()
            if limits is not None:
                limits.remove()
    if given.report is not None:
        write(result, given.report)
    still = calm(result)
    print(f"{result.results.events:,} events, {result.found.verify}; delay without faults {quantile(still, 0.5):.2f} s")
    for sentence in result.found.wrong:
        print(f"    {sentence}")
    print("all assertions passed" if not result.found.wrong else f"FAILED; repeat with --seed {given.seed}")
    return 1 if result.found.wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
