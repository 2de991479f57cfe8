"""`python -m services.ingest [collector|articles …]`, or a command: `import`."""

import argparse
import sys

from services.ingest.settings import IngestSettings
from shared.process import run_service
from shared.settings import SettingsError
from shared.sites import SitesError, read_sites


def main() -> int:
    """Run roles or a command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.ingest", description="Presstally: how things enter.")
    commands = parser.add_subparsers(dest="command", metavar="ROLE|COMMAND")
    commands.add_parser("collector", help="role: receive the signs of readers")
    commands.add_parser("articles", help="role: editor API, outbox relay, what is live")
    from services.ingest.imports import command

    command.add_arguments(commands.add_parser("import", help="command: saved portal pages become articles"))
    arguments = parser.parse_args()
    try:
        settings = IngestSettings.load()
        read_sites(settings.sites)
    except (SettingsError, SitesError) as error:
        print(f"ingest: {error}", file=sys.stderr)
        return 1
    if arguments.command == "import":
        return command.run(arguments, settings)
    from services.ingest.articles import articles
    from services.ingest.collector import collector

    roles = {"collector": collector, "articles": articles}
    return run_service("ingest", roles, settings, [arguments.command] if arguments.command else [])


if __name__ == "__main__":
    sys.exit(main())
