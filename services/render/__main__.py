"""`python -m services.render [builder|site …]`."""

import sys

from services.render.builder import builder
from services.render.settings import RenderSettings
from services.render.site import site
from shared.commands import service_main

ROLES = {"builder": builder, "site": site}

if __name__ == "__main__":
    sys.exit(service_main("render", RenderSettings, ROLES))
