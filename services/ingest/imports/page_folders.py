"""Front matter that folders give to their pages: Hugo's `cascade`, Jekyll's `defaults`, Eleventy's data files.

A page that says nothing about itself may be a draft by its folder, so that these belong to its publication state.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from services.ingest.imports.front_matter_bounds import FRONT_MATTER_CHARACTERS_MAX, load_front_matter
from services.ingest.imports.item import FormatError
from services.ingest.imports.readers.front_matter import split_front_matter

_HUGO_CONFIGURATIONS = ("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config.toml", "config.yaml", "config.json")
_LEVELS_MAX = 12
FILE_CHARACTERS_MAX = 4 * FRONT_MATTER_CHARACTERS_MAX
"""Of a file with defaults; of a page with a cascade its beginning is enough, which has the whole front matter."""


class PageFolders:
    """Reads the defaults of folders, each file once."""

    def __init__(self) -> None:
        self._read: dict[Path, Any] = {}

    def defaults(self, page: Path, root: Path) -> dict[str, Any]:
        """Return the front matter that the folders of a page give to it; nearer folders come first.

        Args:
            page: The file of the page.
            root: The folder that is imported, or that of the page.

        Raises:
            FormatError: a file with defaults cannot be read, so that it is unknown whether the page is public.
        """
        found: dict[str, Any] = {}
        for folder in reversed(list(_folders(page, root))):
            path = PurePosixPath(page.relative_to(folder).as_posix())
            for configuration in _HUGO_CONFIGURATIONS:
                found |= _cascaded(self._mapping(folder / configuration).get("cascade"), path)
            found |= _jekyll(self._mapping(folder / "_config.yml").get("defaults"), path)
            for index in ("_index.md", "_index.markdown", "_index.html"):
                found |= _cascaded(self._front_matter(folder / index).get("cascade"), path)
            for data in (f"{folder.name}.json", f"{folder.name}.11tydata.json"):
                found |= self._mapping(folder / data)
        return {str(name).lower(): value for name, value in found.items()}

    def _front_matter(self, file: Path) -> Mapping[str, Any]:
        return self._once(file, lambda text: split_front_matter(text.lstrip("\ufeff\n")).fields, is_page=True)

    def _mapping(self, file: Path) -> Mapping[str, Any]:
        return self._once(file, lambda text: _parsed(text, file.suffix))

    def _once(self, file: Path, read: Callable[[str], Any], *, is_page: bool = False) -> Mapping[str, Any]:
        if file not in self._read:
            found: Any = {}
            if file.is_file():
                try:
                    with file.open(encoding="utf-8-sig") as opened:
                        text = opened.read(FILE_CHARACTERS_MAX)
                        if opened.read(1) and not is_page:
                            raise FormatError(f"it has more than {FILE_CHARACTERS_MAX:,} characters")
                    found = read(text)
                except (FormatError, OSError, ValueError, RecursionError) as error:
                    raise FormatError(f"is in a folder whose {file.name} cannot be read: {error}") from error
            self._read[file] = (
                {str(name).lower(): value for name, value in found.items()} if isinstance(found, dict) else {}
            )
        return self._read[file]  # type: ignore[no-any-return]


def _folders(page: Path, root: Path) -> Iterator[Path]:
    """Yield the folders of a page from its own to the one that is imported, and those above that belong to the site."""
    folder = page.parent
    for _ in range(_LEVELS_MAX):
        yield folder
        above = folder.parent
        is_inside = root in folder.parents
        if not is_inside and not any(
            (above / name).is_file() for name in ("_index.md", "_config.yml", *_HUGO_CONFIGURATIONS)
        ):
            return
        folder = above


def _parsed(text: str, suffix: str) -> Any:
    if suffix == ".toml":
        return tomllib.loads(text)
    if suffix == ".json":
        return json.loads(text)
    return load_front_matter(text)


def _cascaded(cascade: Any, path: PurePosixPath) -> dict[str, Any]:
    """Return the values of a cascade of Hugo for a page: one mapping, or several with targets."""
    found: dict[str, Any] = {}
    for one in cascade if isinstance(cascade, list) else [cascade]:
        if not isinstance(one, dict):
            continue
        values = {str(name).lower(): value for name, value in one.items()}
        target = values.pop("_target", None) or values.pop("target", None) or {}
        inner = values.pop("params", None)
        if _is_target(target, path):
            found |= {**values, **({"params": inner} if inner is not None else {})}
    return found


def _is_target(target: Any, path: PurePosixPath) -> bool:
    if not isinstance(target, dict):
        return True
    given = {str(name).lower(): value for name, value in target.items()}
    kinds = str(given.get("kind") or "page").strip("{}").split(",")
    if "page" not in [kind.strip() for kind in kinds]:
        return False
    pattern = str(given.get("path") or "")
    if not pattern:
        return True
    expression = re.escape(pattern).replace(r"\*\*", ".*").replace(r"\*", "[^/]*").replace(r"\?", ".")
    expression = re.sub(r"\\\{([^{}]*)\\\}", lambda one: f"(?:{one[1].replace(',', '|')})", expression)
    wanted = [f"/{path.with_suffix('')}", f"/{path.parent}" if path.stem == "index" else ""]
    return any(re.search(rf"(?:^|/){expression.lstrip('/')}$", one) is not None for one in wanted if one)


def _jekyll(defaults: Any, path: PurePosixPath) -> dict[str, Any]:
    """Return the values of Jekyll's `defaults` for a page, by the path and type of their scopes."""
    found: dict[str, Any] = {}
    for one in defaults if isinstance(defaults, list) else []:
        scope, values = (one.get("scope") or {}, one.get("values")) if isinstance(one, dict) else ({}, None)
        if not isinstance(values, dict) or not isinstance(scope, dict):
            continue
        folder, kind = str(scope.get("path") or "").strip("/"), str(scope.get("type") or "").strip("_")
        parts = [part.strip("_") for part in path.parts[:-1]]
        is_inside = not folder or path.match(folder) or f"{path}/".startswith(f"{folder}/")
        if is_inside and (not kind or kind in parts or (kind == "pages" and not set(parts) & {"posts", "drafts"})):
            found |= values
    return found
