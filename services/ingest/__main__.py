"""`python -m services.ingest [collector|articles …]`, or a command: `import`, `token`."""

import sys

from services.ingest import token_command
from services.ingest.articles import articles
from services.ingest.collector import collector
from services.ingest.imports import command as imports
from services.ingest.settings import IngestSettings
from shared.commands import Command, service_main

ROLES = {"collector": collector, "articles": articles}
COMMANDS = {
    "import": Command("saved pages, feeds and exports become articles", imports.add_arguments, imports.run),
    "token": Command("give bearer tokens out and take them back", token_command.add_arguments, token_command.run),
}

if __name__ == "__main__":
    sys.exit(service_main("ingest", IngestSettings, ROLES, COMMANDS))
