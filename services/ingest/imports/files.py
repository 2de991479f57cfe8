"""The files that the import command reads: named ones, and those of folders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.ingest.imports.readers.page_media import ASSET_FOLDERS

_GENERATOR_FOLDERS = ("_layouts", "_includes", "_sass", "_site", "_plugins", "_data")
_SITE_FOLDERS = ("archetypes", "layouts", "themes", "public", "resources", "scaffolds", "assets")
"""Folders at the top of a site of a generator that have no pages of their own: templates, and the pages it has made."""
_SITE_FILES = ("hugo.toml", "hugo.yaml", "hugo.yml", "hugo.json", "config.toml", "config.yaml", "_config.yml")
_NO_PAGES = frozenset(
    (
        "robots.txt",
        "humans.txt",
        "ads.txt",
        "app-ads.txt",
        "security.txt",
        "license",
        "license.txt",
        "readme.txt",
        "cname",
        "makefile",
    )
)
_NO_ARTICLES = frozenset(
    (
        *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".svg", ".ico", ".bmp", ".tif", ".tiff", ".heic"),
        *(".css", ".scss", ".sass", ".less", ".js", ".mjs", ".ts", ".map", ".woff", ".woff2", ".ttf", ".otf", ".eot"),
        *(".mp3", ".mp4", ".m4a", ".m4v", ".mov", ".avi", ".webm", ".ogg", ".ogv", ".wav", ".zip", ".rar", ".gz"),
        *(".pdf", ".doc", ".xls", ".xlsx", ".ppt", ".pptx", ".csv", ".bib", ".log", ".download"),
        *(".toml", ".yml", ".yaml", ".lock", ".py", ".rb", ".sh"),
    )
)
_CONFIGURATIONS = frozenset(
    ["package.json", "package-lock.json", "hugo.json", "config.json", "manifest.json", "tsconfig.json", "composer.json"]
)


@dataclass(frozen=True)
class ImportFile:
    """A file to import."""

    path: Path
    name: str
    """Its path in the folder that was given: files of different folders may have the same name."""
    root: Path
    """The folder that was given, or that of the file."""
    bytes: int = 0
    is_of_folder: bool = False


def find_files(path: Path) -> Sequence[ImportFile]:
    """Return the file, or the files of a folder without hidden ones and without the assets of saved pages."""
    if not path.is_dir():
        return [ImportFile(path, path.name, path.parent, _bytes(path))]
    found = sorted(file for file in path.rglob("*") if file.is_file() and not _is_hidden(file.relative_to(path)))
    return [
        ImportFile(file, file.relative_to(path).as_posix(), path, _bytes(file), True)
        for file in found
        if not _is_asset(file, path)
    ]


def is_no_article(file: ImportFile) -> bool:
    """Return whether a file of a folder belongs to the pages beside it: a picture, a style sheet, a configuration."""
    path = file.path
    is_data = path.suffix == ".json" and (
        path.name in _CONFIGURATIONS or path.stem in {path.parent.name, f"{path.parent.name}.11tydata"}
    )
    parts = path.relative_to(file.root).parts[:-1] if path.is_relative_to(file.root) else ()
    is_of_generator = any(part in _GENERATOR_FOLDERS for part in parts) or (
        bool(parts) and parts[0] in _SITE_FOLDERS and any((file.root / one).is_file() for one in _SITE_FILES)
    )
    is_named = path.name.lower() in _NO_PAGES or is_data or is_of_generator
    return path.suffix.lower() in _NO_ARTICLES or is_named


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in path.parts)


def _is_asset(file: Path, root: Path) -> bool:
    for folder in file.relative_to(root).parents:
        for ending in ASSET_FOLDERS:
            page = folder.name.removesuffix(ending)
            pages = [root / folder.parent / f"{page}{extension}" for extension in (".html", ".htm")]
            if page != folder.name and any(one.exists() for one in pages):
                return True
    return False
