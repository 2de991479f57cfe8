"""`python -m services.render [builder|site …]`."""

import argparse
import sys

from services.render.settings import RenderSettings
from shared.process import run_service
from shared.settings import SettingsError
from shared.sites import SitesError, read_sites


def main() -> int:
    """Run roles; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.render", description="Presstally: articles become pages.")
    commands = parser.add_subparsers(dest="command", metavar="ROLE")
    commands.add_parser("builder", help="role: make pages of articles")
    commands.add_parser("site", help="role: the public pages")
    arguments = parser.parse_args()
    try:
        settings = RenderSettings.load()
        read_sites(settings.sites)
    except (SettingsError, SitesError) as error:
        print(f"render: {error}", file=sys.stderr)
        return 1
    from services.render.builder import builder
    from services.render.site import site

    return run_service(
        "render",
        {"builder": builder, "site": site},
        settings,
        [arguments.command] if arguments.command else [],
    )


if __name__ == "__main__":
    sys.exit(main())
