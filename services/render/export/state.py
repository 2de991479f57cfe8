"""What an export has to know of the one before it: what each of its files was made of.

A page whose rows, site, theme and program are the same has the same bytes (ARCHITECTURE.md, invariant 7), so it is not
rendered again. The live portal decides by the same rows what it may keep in memory.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import msgspec

from services.render.export.folder import ExportFolder, FileStamp
from services.render.pages.themes import theme_of
from shared.sites import Site

STATE = ".presstally-state"
ROOT = Path(__file__).parents[3]
PROGRAM = ("services/render", "shared")
PACKAGES = ("babel", "jinja2", "markupsafe", "msgspec", "segno")
"""Whatever else may change the bytes of pages."""


class KnownPage(msgspec.Struct, array_like=True):
    """A page of an export; `links`: places in the list of all links."""

    made_of: str
    checksum: str
    media_type: str
    links: list[int]


class ExportState(msgspec.Struct):
    """What an export leaves for the next one.

    Attributes:
        everywhere: The checksum of what all pages are made of.
        version: The site's version; equal ones mean equal pages until `expires_at`.
        files: Every file, as it was left.
        copies: What each complete copy of an article was made of.
        search: What the index of the search was made of.
        is_complete: Nothing was broken or missing, so that the same would be done again.
        editors_broken: Broken links in texts, which do not make an export incomplete.
    """

    everywhere: str = ""
    version: str = ""
    expires_at: datetime | None = None
    pages: dict[str, KnownPage] = {}
    links: list[str] = []
    files: dict[str, FileStamp] = {}
    copies: dict[str, str] = {}
    search: str = ""
    is_complete: bool = False
    editors_broken: dict[str, str] = {}


def read_state(folder: ExportFolder, everywhere: str) -> ExportState:
    """Return the state that the last export left in a folder; an empty one if it was made of other things."""
    try:
        state = msgspec.msgpack.decode(folder.read(STATE), type=ExportState)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return ExportState(everywhere)
    return state if state.everywhere == everywhere else ExportState(everywhere)


def write_state(folder: ExportFolder, state: ExportState) -> None:
    """Write the state for the next export."""
    folder.write_own(STATE, msgspec.msgpack.encode(state))


def made_of(everything: Any) -> str:
    """Return the checksum of what something is made of. A value that has no stable text never equals another."""
    return hashlib.sha256(msgspec.json.encode(everything, enc_hook=repr)).hexdigest()[:24]


def everywhere(site: Site, public_url: str, options: Iterable[bool]) -> str:
    """Return the checksum of what all files of an export are made of: program, theme, site and options."""
    theme, index = theme_of(site), site.structure
    templates = [(name, _source(theme.templates, name)) for name in sorted(theme.templates.list_templates())]
    structure = None if index is None else (index.structure, index.pages)
    own = msgspec.structs.replace(site, structure=None)
    look = (templates, sorted(theme.paths.items()), theme.inline_script)
    return made_of([_program(), public_url, list(options), own, structure, look])


def _source(environment: Any, name: str) -> str:
    return str(environment.loader.get_source(environment, name)[0]) if name.endswith(".html") else ""


@cache
def _program() -> str:
    """Return the checksum of the program's files and of the versions of its packages."""
    found = hashlib.sha256()
    for folder in PROGRAM:
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                found.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    for package in PACKAGES:
        found.update(f"{package} {version(package)}\n".encode())
    found.update(python_version().encode())
    return found.hexdigest()
