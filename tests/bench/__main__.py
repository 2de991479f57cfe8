"""`python -m tests.bench [NAME …]`, of those in BENCHMARKS; none is all."""

import argparse
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from deploy.local.stack import failure_reason
from deploy.local.supervisor import StartFailed
from tests.bench.attack import attack
from tests.bench.collect import collect
from tests.bench.count_latency import delay
from tests.bench.counter_api import counter_api
from tests.bench.everyday_loads import everyday_loads
from tests.bench.footprint import footprint
from tests.bench.growth import growth
from tests.bench.importing import imports, large_import
from tests.bench.infrastructure import BenchmarkError, Infrastructure
from tests.bench.lists import lists
from tests.bench.live_latency import live_delay
from tests.bench.live_streams import live_streams
from tests.bench.memory import memory
from tests.bench.options import Options
from tests.bench.portal import portal
from tests.bench.publishing import publish_live
from tests.bench.rendering import render
from tests.bench.replay import replay
from tests.bench.scaling import scaling
from tests.bench.search_quality import search_quality
from tests.bench.summary import summary
from tests.bench.suspects import suspects
from tests.bench.throughput import throughput

BENCHMARKS = {
    "collect": collect,
    "throughput": throughput,
    "delay": delay,
    "memory": memory,
    "footprint": footprint,
    "everyday_loads": everyday_loads,
    "scaling": scaling,
    "counter_api": counter_api,
    "live_streams": live_streams,
    "live_delay": live_delay,
    "imports": imports,
    "large_import": large_import,
    "lists": lists,
    "portal": portal,
    "search_quality": search_quality,
    "render": render,
    "publish_live": publish_live,
    "suspects": suspects,
    "replay": replay,
    "growth": growth,
    "attack": attack,
    "summary": summary,
}
SEED = 20_261_125
LOAD_PROCESSES = 2


def main() -> int:
    """Run the named benchmarks, or all."""
    names = _parse()
    options = Options(names.events, names.rounds, names.visitors, names.seed, names.articles, names.history)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is stopped and removed
    print(f"seed {options.seed}, {os.cpu_count()} processors, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="presstally-bench-", ignore_cleanup_errors=True) as folder:
        infrastructure = Infrastructure(Path(folder))
        try:
            with infrastructure.running(), _load_processes() as pool:
                for name in names.benchmarks or BENCHMARKS:
                    begun = time.monotonic()
                    print(f"\n{name}: {(BENCHMARKS[name].__doc__ or '').splitlines()[0]}", flush=True)
                    BENCHMARKS[name](infrastructure, options, pool)
                    print(f"  ({time.monotonic() - begun:.0f} s)", flush=True)
                if names.benchmarks and "summary" not in names.benchmarks:
                    summary(infrastructure, options, pool)
        except (BenchmarkError, StartFailed, subprocess.CalledProcessError) as error:
            print(f"bench: {failure_reason(error)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


@contextmanager
def _load_processes() -> Iterator[Executor]:
    # Spawned, not forked: a fork would keep sockets open. Ctrl-C must reach only this process.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(LOAD_PROCESSES, context, signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        yield pool
    finally:
        # After a failure, one may still be sending views to a stopped Kafka, and would retry indefinitely.
        for process in list(pool._processes.values()):
            process.terminate()
        pool.shutdown(cancel_futures=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=sys.modules["tests.bench"].__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("benchmarks", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; none is all")
    parser.add_argument("--events", type=int, default=2_000_000, help="views of throughput (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds of throughput, counter_api and render (default: %(default)s)"
    )
    parser.add_argument("--visitors", type=int, default=1_000_000, help="visitors of memory (default: %(default)s)")
    parser.add_argument(
        "--articles",
        type=int,
        default=10_000,
        help="articles of imports, lists, render, publish_live (default: %(default)s)",
    )
    parser.add_argument(
        "--history",
        type=int,
        default=10_000_000,
        help="largest history of growth, in views; 10^8 takes half an hour and 12 GB (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of all that is random (default: %(default)s)")
    chosen = parser.parse_args()
    for name in chosen.benchmarks:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}; choose from {', '.join(BENCHMARKS)}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
