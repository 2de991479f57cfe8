"""`python -m services.stats [counter|widget …]`, or one of the commands."""

import sys

from services.stats import adjust, dlq, rebuild, verify
from services.stats.counter import counter
from services.stats.settings import StatsSettings
from services.stats.widget import widget
from shared.commands import Command, service_main

ROLES = {"counter": counter, "widget": widget}
COMMANDS = {
    "adjust": Command(
        "add an amount that nobody measured to a total, or take one back", adjust.add_arguments, adjust.run
    ),
    "dlq": Command("look at dead letters, or send them again", dlq.add_arguments, dlq.run),
    "rebuild": Command("count the retained log again and swap the counts", rebuild.add_arguments, rebuild.run),
    "verify": Command("recount the log and compare it with the counters", verify.add_arguments, verify.run),
}

if __name__ == "__main__":
    sys.exit(service_main("stats", StatsSettings, ROLES, COMMANDS))
