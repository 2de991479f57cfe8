"""`presstally render [builder|site …]`, or one of the commands. Roles and commands are imported when they run."""

import sys

from services.render.pages.theme_check import check_theme
from services.render.settings import RenderSettings
from shared.cli import Command, ServiceCommandLine
from shared.late_imports import late
from shared.role import LazyRole
from shared.sites import Sites

REBUILD, EXPORT = "services.render.rebuild.command", "services.render.export.command"
ROLES = {
    "builder": LazyRole("services.render.roles.builder", "run_builder", "Run the builder."),
    "site": LazyRole("services.render.roles.site", "run_site", "Run the public pages."),
}
UNCHANGED = "the live portal has not changed, run it again"
COMMANDS = {
    "rebuild": Command(
        "rebuild the portal from the topic and swap",
        late(REBUILD, "add_rebuild_arguments"),
        late(REBUILD, "rebuild"),
        uses="Postgres or Kafka",
        after_failure=UNCHANGED,
        examples=("", "--check --compare"),
    ),
    "rollback": Command(
        "swap back to the former generation",
        late(REBUILD, "add_rollback_arguments"),
        late(REBUILD, "rollback"),
        uses="Postgres or Kafka",
        after_failure=UNCHANGED,
        examples=("",),
    ),
    "export": Command(
        "write a complete static copy of a site",
        late(EXPORT, "add_arguments"),
        late(EXPORT, "run"),
        after_failure="what was not replaced is unchanged, run it again",
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
