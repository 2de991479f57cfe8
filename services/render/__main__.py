"""`python -m services.render [builder|site …]`, or the command `rebuild`."""

import sys

from services.render import rebuild
from services.render.builder import builder
from services.render.settings import RenderSettings
from services.render.site import site
from shared.commands import Command, service_main

ROLES = {"builder": builder, "site": site}
COMMANDS = {
    "rebuild": Command("read all articles again and make every row anew", rebuild.add_arguments, rebuild.run),
}

if __name__ == "__main__":
    sys.exit(service_main("render", RenderSettings, ROLES, COMMANDS))
