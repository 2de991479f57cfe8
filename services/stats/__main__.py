"""`presstally stats [counter|widget …]`, or one of the commands."""

import sys

from services.stats.admin import adjust, dlq, rebuild
from services.stats.admin.verify import command as verify
from services.stats.roles.counter import run_counter
from services.stats.roles.widget import run_widget
from services.stats.settings import StatsSettings
from services.stats.statistics.access import StatisticsAuth
from shared.cli import Command, ServiceCommandLine
from shared.sites import Sites

ROLES = {"counter": run_counter, "widget": run_widget}
COMMANDS = {
    "adjust": Command(
        "add an amount that nobody measured to a total, or take one back",
        adjust.add_arguments,
        adjust.run,
        uses="Postgres or Kafka",
        examples=(
            "--site haihau --amount 1490782 --why old-counter",
            "--list --site haihau",
            "--reverse 0192c5a0-2c3e-7cc4-8f5b-1a2b3c4d5e6f --why typed-twice",
        ),
    ),
    "dlq": Command(
        "show dead letters, or replay them",
        dlq.add_arguments,
        dlq.run,
        uses="Postgres or Kafka",
        examples=("list", "list --topic articles", "show 3:41", "replay 3:41 --dry-run", "replay --all"),
    ),
    "rebuild": Command(
        "count the retained log again and swap the counts",
        rebuild.add_arguments,
        rebuild.run,
        uses="Postgres or Kafka",
        after_failure="nothing has changed, run it again",
        examples=("", "--new-log", "--lost-records"),
    ),
    "verify": Command(
        "recount the log and compare it with the counters",
        verify.add_arguments,
        verify.run,
        uses="Postgres or Kafka",
        examples=("",),
    ),
}


def check_tokens(settings: StatsSettings, sites: Sites) -> None:
    """Check that the tokens of the statistics fit the sites.

    Raises:
        SettingsError: they do not.
    """
    StatisticsAuth(sites, settings.read_statistics_tokens())


COMMAND_LINE = ServiceCommandLine("stats", StatsSettings, ROLES, COMMANDS, check_tokens)

if __name__ == "__main__":
    sys.exit(COMMAND_LINE.run(sys.argv[1:], "python -m services.stats"))
