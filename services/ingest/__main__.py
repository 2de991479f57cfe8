"""`python -m services.ingest [collector|articles …]`, or a command: `import`, `token`."""

import sys

from services.ingest.auth import token_command
from services.ingest.imports import command as imports
from services.ingest.roles.articles import run_articles
from services.ingest.roles.collector import run_collector
from services.ingest.settings import IngestSettings
from shared.cli import Command, service_main

ROLES = {"collector": run_collector, "articles": run_articles}
COMMANDS = {
    "import": Command(
        "import saved pages, feeds and exports as articles",
        imports.add_arguments,
        imports.run,
        after_failure="run it again; it continues where it stopped",
    ),
    "token": Command("create, list and revoke bearer tokens", token_command.add_arguments, token_command.run),
}

if __name__ == "__main__":
    sys.exit(service_main("ingest", IngestSettings, ROLES, COMMANDS))
