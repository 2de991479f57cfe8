"""Themes: the default one, or a site's own folder whose files override it.

A theme is read once, when a process starts, and checked (`theme_check.py`): every kind of page is rendered with it, so
that the operator learns of a faulty template before any visitor. Files have their checksum in their URL.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import (
    ChoiceLoader,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)
from markupsafe import Markup

from services.render.pages.document import Document
from services.render.pages.template_compiler import FastEnvironment
from shared.sites import Site, SitesError

DEFAULT_THEME = Path(__file__).parent.parent / "theme"
DEFAULT_PREFIX = "default"
"""Before the names of the default theme's templates, for those of a site that extend the one that they replace."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".woff2": "font/woff2",
}
"""Files that a theme may have besides templates. Others are refused: they would silently not be served."""
FILES_BYTES_MAX = 8 * 1024 * 1024
STYLES = ("site.css", "article.css", "parts.css", "paper.css", "extra.css")
"""The parts of the one style of all pages, in the order of the cascade. A `site.css` of a site replaces all of them."""
PREVIEW_FILES = ("preview.css", "print.css")
"""Files that only previews refer to: a static copy does not have them."""
EMBLEMS = ("emblem.svg", "emblem.png", "emblem.webp")
SHARE_IMAGES = ("share.png", "share.jpg", "share.webp")
RASTER = (".png", ".jpg", ".jpeg", ".webp")
"""Ends of names of images that other sites show; they do not show SVG."""
_CSS_URL = re.compile(r"""url\(\s*["']?([^"')]+)["']?\s*\)""")


class ThemeError(SitesError):
    """A theme cannot be used; the message says which file and why."""


@dataclass(frozen=True)
class Theme:
    """A theme, read and compiled."""

    templates: FastEnvironment
    paths: dict[str, str]
    """The URL path of each of its files, by name."""
    assets: dict[str, Document]
    """Its files, by URL path."""
    inline_script: str
    """Inline in each page: sets the visitor's text size and contrast before anything is painted."""
    changed_at: float
    """When one of its files last changed, in seconds since 1970."""

    @property
    def inline_script_hash(self) -> str:
        """The script's SHA-256, for the pages' Content-Security-Policy."""
        return base64.b64encode(hashlib.sha256(self.inline_script.encode()).digest()).decode()

    @property
    def emblem(self) -> str:
        """The URL path of its emblem; without one, of its icon."""
        return next((self.paths[name] for name in EMBLEMS if name in self.paths), self.paths["icon.svg"])

    @property
    def share_image(self) -> str:
        """The URL path of the image of pages without one of their own, on other sites; "" if there is none."""
        return next((self.paths[name] for name in SHARE_IMAGES if name in self.paths), "")


def theme_of(site: Site) -> Theme:
    """Return a site's theme.

    Raises:
        ThemeError: its folder cannot be used.
    """
    return read_theme(site.theme)


@cache
def read_theme(folder: str) -> Theme:
    """Read the default theme and, over it, the one in a folder ("": the default alone).

    Raises:
        ThemeError: the folder is missing, too large, or has a file of an unknown kind.
    """
    own = Path(folder) if folder else None
    if own is not None and not own.is_dir():
        raise ThemeError(f"theme {folder}: no such folder")
    own_files = _files(own) if own else {}
    files = _default_files(own_files) | own_files
    contents = {name: file.read_bytes() for name, file in files.items() if file.suffix != ".html"}
    if sum(map(len, contents.values())) > FILES_BYTES_MAX:
        raise ThemeError(f"theme {folder}: its files are larger than {FILES_BYTES_MAX // 1024 // 1024} MiB together")
    try:
        texts = {name: contents.pop(name).decode() for name in ("preferences.js", *STYLES) if name in contents}
    except UnicodeDecodeError as error:
        raise ThemeError(f"theme {folder}: a style or script is not UTF-8: {error}") from error
    documents = {name: Document(content, TYPES[Path(name).suffix]) for name, content in contents.items()}
    paths = {name: _path(name, document) for name, document in documents.items()}
    style = "\n".join(texts[name] for name in STYLES if name in texts)
    documents["site.css"] = Document(_with_paths(style, paths, folder).encode(), TYPES[".css"])
    paths["site.css"] = _path("site.css", documents["site.css"])
    documents["print.css"] = Document(_as_printed(documents["site.css"].body), TYPES[".css"])
    paths["print.css"] = _path("print.css", documents["print.css"])
    return Theme(
        _environment(own),
        paths,
        {paths[name]: document for name, document in documents.items()},
        texts["preferences.js"].strip(),
        max(file.stat().st_mtime for file in files.values()),
    )


def _default_files(own: Iterable[str]) -> dict[str, Path]:
    """Return the default theme's files, without the styles, icons and share image of a look that is not the site's."""
    files, names = _files(DEFAULT_THEME), set(own)
    if "icon.svg" in names:
        for name in ("touch-icon.png", "icon-512.png"):
            files.pop(name)
    if "site.css" in names:
        for name in STYLES[1:]:
            files.pop(name, None)
    if not names.isdisjoint({"icon.svg", *EMBLEMS, *SHARE_IMAGES}):
        files.pop("share.png")
    return files


def _files(folder: Path) -> dict[str, Path]:
    found = {str(file.relative_to(folder)): file for file in sorted(folder.rglob("*")) if file.is_file()}
    for name in found:
        if Path(name).suffix not in {*TYPES, ".html", ".md"}:
            raise ThemeError(
                f"theme {folder}: {name} is neither a template nor of a kind that is served ({', '.join(TYPES)})"
            )
    return {name: file for name, file in found.items() if Path(name).suffix != ".md"}


def _path(name: str, document: Document) -> str:
    file = Path(name)
    return f"/theme/{'-'.join([*file.parent.parts, file.stem])}-{document.checksum[:12]}{file.suffix}"


def _with_paths(style: str, paths: dict[str, str], folder: str) -> str:
    """Replace each name of a file of the theme by its URL."""

    def url(found: re.Match[str]) -> str:
        name = found[1]
        if name.startswith(("data:", "#")):
            return found[0]
        if name not in paths:
            raise ThemeError(f"theme {folder}: its style names {name}, which is not in its folder")
        return f'url("{paths[name]}")'

    return _CSS_URL.sub(url, style)


def _as_printed(style: bytes) -> bytes:
    """Return a style whose rules for print apply on screens, too: the preview of a print."""
    return re.sub(rb"@media\s+(?:only\s+)?print\b", b"@media all", style)


def _script_json(value: Any, indent: int | None = None) -> Markup:
    """Return a value as JSON, compact, that may stand anywhere in HTML but between double quotes, as Jinja's filter."""
    text = msgspec.json.encode(value)
    for sign, escaped in _NOT_IN_SCRIPTS:
        text = text.replace(sign, escaped)
    return Markup(text.decode())  # noqa: S704 - nothing in it ends a script or an attribute


_NOT_IN_SCRIPTS = tuple((sign.encode(), f"\\u{ord(sign):04x}".encode()) for sign in "<>&'")


def _may_be_faulty(name: str) -> bool:
    """Return whether a file is a template to compile at once, and not the same of the default theme once more."""
    return name.endswith(".html") and not name.startswith(f"{DEFAULT_PREFIX}/")


def _environment(own: Path | None) -> FastEnvironment:
    environment = FastEnvironment(
        loader=ChoiceLoader(
            [
                FileSystemLoader([own, DEFAULT_THEME] if own else [DEFAULT_THEME]),
                PrefixLoader({DEFAULT_PREFIX: FileSystemLoader(DEFAULT_THEME)}),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["tojson"] = _script_json
    for name in environment.list_templates(filter_func=_may_be_faulty):
        try:
            environment.get_template(name)
        except TemplateError as error:
            line = f", line {error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
            raise ThemeError(f"theme {own}: {name}{line}: {error}") from error
    return environment
