"""`make docs`: build README's documentation pages into dist/docs, and fail if a link of theirs leads nowhere.

The Markdown files are written for a Git host, where links to files outside docs/ work. The site is built from copies:
pages from outside docs/ are put beside the others, a link to any other file of the repository becomes its path, and the
front page gets the navigation.
"""

import argparse
import posixpath
import re
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import build_main

ROOT = Path(__file__).parent.parent.parent
OUTSIDE = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "vulnerabilities.md",
    "deploy/k8s/README.md": "kubernetes.md",
}
"""Pages that are not in docs/, and their names in the site."""
NAVIGATION = {
    "Start": ("quickstart", "configuration", "sites", "glossary"),
    "Website": ("tracking", "counters", "statistics", "portal", "theming", "static-export"),
    "Editors": (
        "newsroom",
        "newsroom-writing",
        "editing",
        "publishing",
        "people",
        "errors",
        "preview",
        "webhooks",
        "structure",
        "media",
        "files",
        "importing",
        "importing-images",
        "importing-word",
        "migrating",
    ),
    "Operation": (
        "administration",
        "small-server",
        "backup",
        "upgrade",
        "scaling",
        "kubernetes",
        "dashboards",
        "runbooks",
        "tracing",
    ),
    "Review": ("security", "privacy", "retention", "vulnerabilities"),
    "Development": ("architecture", "decisions", "contributing", "testing", "benchmarks", "soak", "changelog"),
}
"""Pages, and folders of pages, by the caption that they are listed under."""
FOLDERS = ("runbooks", "decisions")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
FENCED = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)


class BrokenLink(Exception):  # noqa: N818 - reads as it is said
    """A page links to a file that does not exist."""


def site_path(path: str) -> str | None:
    """Return the path in the site of a page of the repository; None if the file is no page."""
    if path in OUTSIDE:
        return OUTSIDE[path]
    if path.startswith("docs/") and (ROOT / path).is_dir():
        return f"{path.removeprefix('docs/')}/index.md"
    if path.startswith("docs/"):
        return re.sub(r"/README\.md$", "/index.md", path.removeprefix("docs/"))
    return None


def convert(text: str, source: str) -> str:
    """Return a page's Markdown with the links that it has in the site.

    Args:
        text: The Markdown as it is in the repository.
        source: The page's path in the repository.

    Raises:
        BrokenLink: a relative link leads to no file.
    """
    here = site_path(source)
    assert here is not None

    def rewrite(found: re.Match[str]) -> str:
        label, target = found.groups()
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:") or not path:
            return found[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if not (ROOT / file).exists():
            raise BrokenLink(f"{source} links to {target}, which is not in the repository")
        to = site_path(file)
        if to is None:
            return label if file in label else f"{label} (`{file}`)"
        relative = posixpath.relpath(to, posixpath.dirname(here) or ".")
        return f"[{label}]({relative}{f'#{anchor}' if anchor else ''})"

    parts = FENCED.split(text)
    return "".join(part if part.startswith("```") else LINK.sub(rewrite, part) for part in parts)


def prepare(folder: Path) -> None:
    """Write the site's source: all pages, the navigation, indexes of folders, images."""
    pages = {f"docs/{file.relative_to(ROOT / 'docs')}": file for file in sorted((ROOT / "docs").rglob("*.md"))}
    for path in (*pages, *OUTSIDE):
        target = folder / str(site_path(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(convert((ROOT / path).read_text(encoding="utf-8"), path), encoding="utf-8")
    for file in sorted((ROOT / "docs").rglob("*")):
        if file.is_file() and file.suffix != ".md":
            target = folder / file.relative_to(ROOT / "docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    for name in FOLDERS:
        _list_folder(folder / name)
    blocks = []
    for caption, names in NAVIGATION.items():
        entries = [f"{name}/index" if name in FOLDERS else name for name in names]
        blocks.append(_toctree(f":caption: {caption}\n:hidden:", entries))
    with (folder / "index.md").open("a", encoding="utf-8") as index:
        index.write("\n" + "\n".join(blocks))


def _list_folder(folder: Path) -> None:
    names = sorted(file.stem for file in folder.glob("*.md") if file.stem != "index")
    index = folder / "index.md"
    text = index.read_text(encoding="utf-8") if index.exists() else f"# {folder.name.capitalize()}\n"
    index.write_text(f"{text}\n{_toctree(':hidden:' if index.exists() else ':maxdepth: 1', names)}", encoding="utf-8")


def _toctree(options: str, entries: list[str]) -> str:
    return "```{toctree}\n" + options + "\n\n" + "\n".join(entries) + "\n```\n"


def build(output: Path) -> int:
    """Build the site and return Sphinx's exit code; any warning is an error."""
    shutil.rmtree(output, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="presstally-docs-") as folder:
        source = Path(folder) / "source"
        source.mkdir()
        prepare(source)
        settings = str(Path(__file__).parent)
        options = ["-q", "-W", "--keep-going", "-b", "html", "-c", settings, "-d", f"{folder}/doctrees"]
        return build_main([*options, str(source), str(output)])


def main() -> int:
    """Build the site into the folder of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.docs_site", description="Build the documentation.")
    parser.add_argument("output", nargs="?", type=Path, default=ROOT / "dist/docs", help="default: dist/docs")
    arguments = parser.parse_args()
    try:
        code = build(arguments.output)
    except BrokenLink as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    if code == 0:
        print(f"docs: {arguments.output / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
