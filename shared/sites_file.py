"""`sites.toml`, or a folder of such files → the sites that this installation serves."""

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from shared.origins import InvalidOriginError, is_loopback, normalize_origin
from shared.site_checks import errors_between, errors_of
from shared.site_errors import convert_all_but_wrong
from shared.sites import Site, Sites, SitesError

BYTES_MAX = 8 * 1024 * 1024
"""Of a file: some thousand sites. A log that was written in its place must not fill the memory of every service."""
NEVER_OF_A_FILE = frozenset({"structure"})
"""Fields of a site that are no keys of its table."""


def read_sites(path: Path, public_url: str | None = None) -> Sites:
    """Read and check the sites' configuration.

    Args:
        path: A file, or a folder whose `*.toml` files are read in the order of their names.
        public_url: Takes the place of the first origin of a site that has a loopback address there, which is a copy
            for trying: the first such site.

    Raises:
        SitesError: a file is missing, is not TOML, or has an invalid site.
    """
    errors: list[str] = []
    sites: dict[str, Site] = {}
    declared: dict[str, str] = {}
    files = config_files(path)
    for file in files:
        tables = _tables(file)
        if not tables:
            errors.append("it declares no [[site]]" if file == path else f"{file.name} declares no [[site]]")
        for table in tables:
            site, wrong = _site(table, file)
            errors += [error if file == path else f"{file.name}: {error}" for error in wrong]
            if site is None:
                continue
            if site.slug in sites:
                errors.append(f"site {site.slug} is declared twice, in {declared[site.slug]} and {file.name}")
            sites[site.slug] = site
            declared[site.slug] = file.name
    sites = _with_public_url(sites, public_url)
    errors += errors_between(sites)
    if errors:
        raise SitesError(f"{path}: " + "; ".join(errors))
    read = Sites(sites)
    read.changed_at = max(map(_changed_at, files))
    return read


def _changed_at(file: Path) -> float:
    try:
        found = file.stat()
    except OSError as error:  # it was there a moment ago
        raise SitesError(f"{file}: {error.strerror or error}") from error
    return max(found.st_mtime, found.st_ctime)


def is_config_file(name: str) -> bool:
    """Return whether a file of a folder declares sites; hidden ones are those of editors and of Kubernetes."""
    return name.endswith(".toml") and not name.startswith(".")


def config_files(path: Path) -> list[Path]:
    """Return the files of the sites' configuration.

    Raises:
        SitesError: there are none.
    """
    try:
        if not path.is_dir():
            return [path]
        files = sorted(file for file in path.iterdir() if is_config_file(file.name))
    except OSError as error:
        raise SitesError(f"{path}: {error.strerror or error}") from error
    if not files:
        raise SitesError(f"{path}: it has no file *.toml that declares a [[site]]")
    return files


def check_theme_folders(sites: Sites, known: Collection[str] = ()) -> None:
    """Check that the folder of each theme exists; only render knows what must be in it.

    Args:
        sites: As read.
        known: Folders of themes that are in use already. They are not looked for: render has read them.

    Raises:
        SitesError: folders are missing; the message names each with its site.
    """
    missing = [
        f"site {site.slug}: theme {site.theme}: no such folder"
        for site in sites.values()
        if site.theme and site.theme not in known and not Path(site.theme).is_dir()
    ]
    if missing:
        raise SitesError("; ".join(missing))


def _tables(file: Path) -> list[Any]:
    try:
        if file.exists() and not file.is_file():
            raise SitesError(f"{file}: it is neither a file nor a folder")
        if (size := file.stat().st_size) > BYTES_MAX:
            raise SitesError(f"{file}: it has {size:,} bytes; at most {BYTES_MAX:,} are read")
        document = tomllib.loads(file.read_text(encoding="utf-8-sig"))  # editors of Windows write a byte order mark
    except OSError as error:
        raise SitesError(f"{file}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:  # ValueError: an encoding, a date
        raise SitesError(f"{file} is not TOML: {error}") from error
    unknown = sorted(document.keys() - {"site"})
    if unknown:
        raise SitesError(f"{file}: unknown key {', '.join(unknown)}; a site begins with [[site]]")
    tables = document.get("site", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SitesError(f"{file}: a site begins with [[site]], in two pairs of brackets")
    return tables


def _site(table: dict[str, Any], file: Path) -> tuple[Site | None, list[str]]:
    """Return a site with its origins normalised, or None if it cannot be read, and what is wrong with it."""
    wrong = [f"unknown key {key}" for key in sorted(NEVER_OF_A_FILE & table.keys())]
    site = convert_all_but_wrong(table, Site, wrong)
    if wrong or site is None:
        return None, [f"site {table.get('slug', '?')}: {error}" for error in wrong]
    own = errors_of(table, site)
    origins = []
    for origin in site.origins:
        try:
            origins.append(normalize_origin(origin))
        except InvalidOriginError as error:
            own.append(f"origin {origin!r} {error} (an origin looks like https://example.vn)")
    theme = ""
    try:
        theme = str((file.parent / site.theme).resolve()) if site.theme else ""
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links that lead in a circle
        own.append(f"theme {site.theme!r} cannot be found: {error}")
    errors = [f"site {site.slug}: {error}" for error in own]
    return msgspec.structs.replace(site, theme=theme, origins=list(dict.fromkeys(origins))), errors


def _with_public_url(sites: dict[str, Site], public_url: str | None) -> dict[str, Site]:
    if public_url is None:
        return sites
    for slug, site in sites.items():
        if site.origins and is_loopback(site.origins[0]):
            origins = list(dict.fromkeys([public_url, *site.origins]))
            return sites | {slug: msgspec.structs.replace(site, origins=origins)}
    return sites
