"""`presstally stats [counter|widget …]`, or one of the commands. Roles and commands are imported when they run."""

import sys

from services.stats.settings import StatsSettings
from services.stats.statistics.access import StatisticsAuth
from shared.cli import Command, ServiceCommandLine
from shared.late_imports import late
from shared.role import LazyRole
from shared.sites import Sites

ADMIN = "services.stats.admin"
ROLES = {
    "counter": LazyRole("services.stats.roles.counter", "run_counter", "Run the counter."),
    "widget": LazyRole("services.stats.roles.widget", "run_widget", "Run the public read side."),
}
COMMANDS = {
    "adjust": Command(
        "add an amount that nobody measured to a total, or take one back",
        late(f"{ADMIN}.adjust", "add_arguments"),
        late(f"{ADMIN}.adjust", "run"),
        uses="Postgres or Kafka",
        examples=(
            "--site haihau --amount 1490782 --why old-counter",
            "--list --site haihau",
            "--reverse 0192c5a0-2c3e-7cc4-8f5b-1a2b3c4d5e6f --why typed-twice",
        ),
    ),
    "dlq": Command(
        "show dead letters, or replay them",
        late(f"{ADMIN}.dlq", "add_arguments"),
        late(f"{ADMIN}.dlq", "run"),
        uses="Postgres or Kafka",
        examples=("list", "list --topic articles", "show 3:41", "replay 3:41 --dry-run", "replay --all"),
    ),
    "exclude": Command(
        "take a group that behaves as programs do out of the counts, or put it back",
        late(f"{ADMIN}.exclude", "add_arguments"),
        late(f"{ADMIN}.exclude", "run"),
        uses="Postgres or Kafka",
        after_failure="see --list; an exclusion that is not applied is applied by `presstally stats rebuild`",
        examples=(
            "--site haihau --day 2026-11-24 --group 371e113a --why 'a fleet: see the graph of that evening'",
            "--list --site haihau",
            "--reverse 0192c5a0-2c3e-7cc4-8f5b-1a2b3c4d5e6f --why 'it was the app of the province'",
        ),
    ),
    "rebuild": Command(
        "count the retained log again and swap the counts",
        late(f"{ADMIN}.rebuild", "add_arguments"),
        late(f"{ADMIN}.rebuild", "run"),
        uses="Postgres or Kafka",
        after_failure="nothing has changed, run it again",
        examples=("", "--new-log", "--lost-records"),
    ),
    "suspects": Command(
        "name the groups of visitors that behave as programs do, with the reason",
        late(f"{ADMIN}.suspects", "add_arguments"),
        late(f"{ADMIN}.suspects", "run"),
        uses="Postgres",
        examples=("", "--site haihau --day 2026-11-24"),
    ),
    "verify": Command(
        "recount the log and compare it with the counters",
        late(f"{ADMIN}.verify.command", "add_arguments"),
        late(f"{ADMIN}.verify.command", "run"),
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
