"""`python -m services.render [builder|site …]`, or one of the commands."""

import sys

from services.render import export, rebuild
from services.render.builder import builder
from services.render.settings import RenderSettings
from services.render.site import site
from shared.commands import Command, service_main

ROLES = {"builder": builder, "site": site}
COMMANDS = {
    "rebuild": Command("make the portal anew from the topic and swap", rebuild.add_rebuild_arguments, rebuild.rebuild),
    "rollback": Command(
        "let readers have the former generation again", rebuild.add_rollback_arguments, rebuild.rollback
    ),
    "export": Command("write a complete static copy of a site", export.add_arguments, export.run),
}

if __name__ == "__main__":
    sys.exit(service_main("render", RenderSettings, ROLES, COMMANDS))
