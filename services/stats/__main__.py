"""`python -m services.stats [counter|widget …]`."""

import argparse
import sys

from services.stats.settings import StatsSettings
from shared.process import run_service
from shared.settings import SettingsError
from shared.sites import SitesError, read_sites


def main() -> int:
    """Run roles; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.stats", description="Presstally: the counts.")
    commands = parser.add_subparsers(dest="command", metavar="ROLE")
    commands.add_parser("counter", help="role: count page views, exactly once")
    commands.add_parser("widget", help="role: the public counter")
    arguments = parser.parse_args()
    try:
        settings = StatsSettings.load()
        read_sites(settings.sites)
    except (SettingsError, SitesError) as error:
        print(f"stats: {error}", file=sys.stderr)
        return 1
    from services.stats.counter import counter
    from services.stats.widget import widget

    return run_service(
        "stats",
        {"counter": counter, "widget": widget},
        settings,
        [arguments.command] if arguments.command else [],
    )


if __name__ == "__main__":
    sys.exit(main())
