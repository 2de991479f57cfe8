"""`presstally render [builder|site …]`, or one of the commands."""

import sys

from services.render.export import command as export_command
from services.render.pages.theme_check import check_theme
from services.render.rebuild import command as rebuild_command
from services.render.roles.builder import run_builder
from services.render.roles.site import run_site
from services.render.settings import RenderSettings
from shared.cli import Command, ServiceCommandLine
from shared.sites import Sites

ROLES = {"builder": run_builder, "site": run_site}
UNCHANGED = "the live portal has not changed, run it again"
COMMANDS = {
    "rebuild": Command(
        "rebuild the portal from the topic and swap",
        rebuild_command.add_rebuild_arguments,
        rebuild_command.rebuild,
        uses="Postgres or Kafka",
        after_failure=UNCHANGED,
        examples=("", "--check --compare"),
    ),
    "rollback": Command(
        "swap back to the former generation",
        rebuild_command.add_rollback_arguments,
        rebuild_command.rollback,
        uses="Postgres or Kafka",
        after_failure=UNCHANGED,
        examples=("",),
    ),
    "export": Command(
        "write a complete static copy of a site",
        export_command.add_arguments,
        export_command.run,
        after_failure=export_command.AFTER_FAILURE,
        examples=("dist/portal --site haihau",),
    ),
}


def check_themes(settings: RenderSettings, sites: Sites) -> None:
    """Make a page of each kind by each site's theme, so that a faulty one is found at the start.

    Raises:
        SitesError: a theme cannot be used.
    """
    for site in sites.values():
        check_theme(site)


COMMAND_LINE = ServiceCommandLine("render", RenderSettings, ROLES, COMMANDS, check_themes)

if __name__ == "__main__":
    sys.exit(COMMAND_LINE.run(sys.argv[1:], "python -m services.render"))
