"""`presstally sites check [FILE]`: check the sites' configuration as the services would, before anything restarts."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.cli.words import PROGRAM
from services.render.pages.theme_check import check_theme
from shared.sites import Sites, SitesError, read_sites

DEFAULT = Path("sites.toml")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    own = argparse.ArgumentParser(prog=f"{PROGRAM} sites", description="Check the sites' configuration.")
    verbs = own.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="as the services do at their start; exit code 1 if they would refuse it")
    check.add_argument("file", nargs="?", type=Path, help="default: PRESSTALLY_SITES, or sites.toml")
    return own


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code: 1 if the services would refuse the file."""
    given: Path | None = parser().parse_args(list(arguments)).file
    path = given or Path(os.environ.get("PRESSTALLY_SITES") or DEFAULT)
    try:
        sites = read_sites(path)
        for site in sites.values():
            check_theme(site)
    except SitesError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 1
    _print(path, sites)
    return 0


def _print(path: Path, sites: Sites) -> None:
    print(f"{path}: {len(sites)} site(s)")
    for site in sites.values():
        sections = ", ".join(section.slug for section in site.sections) or "none"
        print(f"  {site.slug}: {site.name}; {', '.join(site.origins)}; {site.timezone}; sections: {sections}")
