"""`presstally sites check [PATH]`: check the sites' configuration as the services would, before anything changes.

It also says what would change in the running installation, where the newsroom's sections differ, and which public
articles would be in no section.
"""

import argparse
import asyncio
import http.client
import json
import os
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from deploy.cli.installation import CHECKOUT, running_service
from deploy.cli.words import PROGRAM
from services.ingest.articles.undeclared_sections import describe_undeclared, find_undeclared
from services.ingest.queries import STRUCTURE_SQL
from services.render.pages.theme_check import check_theme
from services.stats.statistics.access import StatisticsAuth
from shared.origins import InvalidOriginError, normalize_origin
from shared.settings import SettingsError
from shared.site_structure import SiteStructure
from shared.sites import Site, Sites, SitesError
from shared.sites_file import check_theme_folders, read_sites
from shared.sites_reload import changed_sites

DEFAULT = Path("sites.toml")
SECONDS_MAX = 5.0
"""How long the running installation and Postgres may take to answer."""
TOKENS = "PRESSTALLY_STATISTICS_TOKENS"
EXAMPLES = """\
examples:
  presstally sites check
  presstally sites check new-sites/
  presstally sites check --running http://stats:8000 /app/sites

Exit codes: 0 the services would accept it; 1 they would refuse it; 2 wrong usage."""
REBUILD = "run `presstally stats rebuild` for days that were counted, `presstally render rebuild` for lists by month"


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    own = argparse.ArgumentParser(prog=f"{PROGRAM} sites", description="Check the sites' configuration.")
    verbs = own.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser(
        "check",
        help="as the services do at their start; exit code 1 if they would refuse it",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("path", nargs="?", type=Path, help="file or folder; default: that of the installation")
    check.add_argument("--running", metavar="URL", help="internal address of a running service to compare with")
    return own


def run(arguments: Sequence[str]) -> int:
    """Run the command and return its exit code: 1 if the services would refuse the configuration."""
    parsed = parser().parse_args(list(arguments))
    path: Path = parsed.path or _default_path()
    try:
        sites = read_sites(path, _public_url())
        check_theme_folders(sites)
        for site in sites.values():
            check_theme(site)
        _check_tokens(sites)
    except (SitesError, SettingsError) as error:
        print(f"{PROGRAM} sites: {error}", file=sys.stderr)
        return 1
    _print_sites(path, sites)
    _print_changes(sites, parsed.running or running_service())
    if os.environ.get("DATABASE_URL"):
        for message in asyncio.run(undeclared_sections(sites)):
            _note(message)
    return 0


def _default_path() -> Path:
    given = os.environ.get("PRESSTALLY_SITES")
    if given or not CHECKOUT:
        return Path(given or DEFAULT)
    from deploy.local.bootstrap import ROOT, home
    from deploy.local.state import sites_path

    return sites_path(home(), ROOT)


def _public_url() -> str | None:
    text = os.environ.get("PRESSTALLY_PUBLIC_URL")
    try:
        return normalize_origin(text) if text else None
    except InvalidOriginError as error:
        raise SettingsError(f"PRESSTALLY_PUBLIC_URL {error}") from error


def _check_tokens(sites: Sites) -> None:
    """Check that sites with protected statistics have tokens, if the tokens are known here."""
    file = os.environ.get(f"{TOKENS}_FILE")
    try:
        tokens = Path(file).read_text(encoding="utf-8") if file else os.environ.get(TOKENS)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{TOKENS}_FILE: {file}: {error}") from error
    if tokens is not None:
        StatisticsAuth(sites, tokens)
        return
    for site in sites.values():
        if site.statistics == "token":
            _note(f"site {site.slug} needs a token in {TOKENS}, which is not known here")


def _print_sites(path: Path, sites: Sites) -> None:
    print(f"{path}: {len(sites)} site(s)")
    for site in sites.values():
        sections = ", ".join(section.slug for section in site.sections) or "none"
        print(f"  {site.slug}: {site.name}; {', '.join(site.origins)}; {site.timezone}; sections: {sections}")
    public_url = os.environ.get("PRESSTALLY_PUBLIC_URL")
    if public_url and _public_url() not in {site.url for site in sites.values()}:
        _note(f"PRESSTALLY_PUBLIC_URL={public_url} has no effect: no site has localhost as its first origin")


def _print_changes(sites: Sites, url: str | None) -> None:
    if url is None:
        return
    try:
        with urllib.request.urlopen(f"{url}/configz", timeout=SECONDS_MAX) as response:  # noqa: S310 - the operator's
            answer = json.loads(response.read())
        running = {str(one["slug"]): one for one in answer["sites"]}
        lines = describe_changes(running, sites)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
        _note(f"the running installation was not compared: {url}/configz: {error}")
        return
    print(f"the running installation ({url}): " + ("what changes" if lines else "nothing changes"))
    for line in lines:
        print(f"  {line}")
    if answer.get("problem"):
        print(f"  it refused its own configuration, and uses the former one: {answer['problem']}")


def describe_changes(running: Mapping[str, Any], sites: Mapping[str, Site]) -> list[str]:
    """Return what a configuration changes, one line for each site.

    Args:
        running: The sites in use by slug, as `/configz` has them.
        sites: The new ones.
    """
    new = {slug: msgspec.to_builtins(site) for slug, site in sites.items()}
    changes = changed_sites(dict(running), new)
    lines = [f"+ {slug} is added" for slug in changes["added"]]
    lines += [f"- {slug} is removed: its counts and articles stay, and are not shown" for slug in changes["removed"]]
    for slug in changes["changed"]:
        before, after = running[slug], new[slug]
        fields = [name for name in after if before.get(name) != after[name]]
        lines.append(f"~ {slug}: " + "; ".join(_describe_field(name, before.get(name), after[name]) for name in fields))
    if not lines and list(running) != list(new):
        lines.append(f"~ the order: {next(iter(new))} answers for unknown hosts")
    return lines


def _describe_field(name: str, before: Any, after: Any) -> str:
    if name == "sections":
        old, new = ({one["slug"] for one in side or ()} for side in (before, after))
        parts = [f"+{slug}" for slug in sorted(new - old)] + [f"-{slug}" for slug in sorted(old - new)]
        return f"sections {' '.join(parts) or 'have other names or another order'}: only new sites begin with them"
    if name == "origins":
        if before and before[0] != after[0]:
            return f"origins: its address changes from {before[0]} to {after[0]}"
        return f"origins {', '.join(after)}"
    texts = {
        "timezone": f"timezone {before} -> {after}: {REBUILD}",
        "identity": "identity: every article gets another permanent id, never change it",
        "first_weekday": f"first_weekday {before} -> {after}: the week of the counter begins on it at once",
    }
    return texts.get(name, name)


async def _structures(connection: asyncpg.Connection) -> list[SiteStructure]:
    """Return the structures that newsrooms have made; none before the migration that stores them."""
    try:
        rows = await connection.fetch(STRUCTURE_SQL["structure_contents"])
    except asyncpg.UndefinedTableError:
        return []
    return [msgspec.json.decode(row["content"], type=SiteStructure) for row in rows]


def describe_differences(sites: Mapping[str, Site], structures: Sequence[SiteStructure]) -> list[str]:
    """Return a message for each site whose newsroom has other sections than its file."""
    messages = []
    for structure in structures:
        site = sites.get(structure.site)
        if site is None:
            continue
        ours = [(one.slug, one.name) for one in structure.sections]
        if ours != [(one.slug, one.name) for one in site.sections]:
            names = ", ".join(slug for slug, _ in ours) or "none"
            messages.append(
                f"site {site.slug}: the sections of the file only seeded it; its newsroom has {names} (/api/sections)"
            )
    return messages


async def undeclared_sections(sites: Sites) -> list[str]:
    """Return messages about sections that differ from the newsroom's, and about public articles in none of these."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            connection = await asyncpg.connect(os.environ["DATABASE_URL"], timeout=SECONDS_MAX)
            try:
                await connection.execute("SET ROLE presstally_ingest")
                structures = await _structures(connection)
                found = sites.snapshot()
                found.apply_structures(structures)
                differing = describe_differences(sites, structures)
                return [*differing, *describe_undeclared(await find_undeclared(connection, found))]
            finally:
                connection.terminate()
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return [f"articles were not compared with the sections: {str(error) or type(error).__name__}"]


def _note(text: str) -> None:
    print(f"note: {text}")
