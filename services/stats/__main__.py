"""`python -m services.stats [counter|widget …]`."""

import sys

from services.stats.counter import counter
from services.stats.settings import StatsSettings
from services.stats.widget import widget
from shared.commands import service_main

ROLES = {"counter": counter, "widget": widget}

if __name__ == "__main__":
    sys.exit(service_main("stats", StatsSettings, ROLES))
