"""`make restore-drill`: every pair of an older, an empty and an intact Postgres and Kafka; some minutes."""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.restore.drill import PAIRS, Pair, Portal


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.restore", description=__doc__)
    parser.add_argument("--pair", action="append", metavar="POSTGRES/KAFKA", help="such as older/same; default: all")
    parser.add_argument("--recover", action="store_true", help="run `presstally recover`, not the single commands")
    arguments = parser.parse_args()
    pairs = [Pair(*one.split("/")) for one in arguments.pair] if arguments.pair else PAIRS
    failed = 0
    with tempfile.TemporaryDirectory(prefix="restore-drill-") as folder:
        portal = Portal(Path(folder), by_recover=arguments.recover)
        try:
            portal.live()
            for pair in pairs:
                begun = time.monotonic()
                try:
                    portal.restore(pair)
                    result = "ok"
                except AssertionError:
                    failed += 1
                    result = f"FAILED\n{traceback.format_exc()}"
                print(
                    f"Postgres {pair.postgres:<5}  Kafka {pair.kafka:<5}  {time.monotonic() - begun:5.1f} s  {result}",
                    flush=True,
                )
        finally:
            portal.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
