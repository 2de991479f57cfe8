"""The files that a document names."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
_ENDINGS = "py|js|json|css|html|sql|toml|md|txt|yml|yaml|po"
_NAME = re.compile(rf"`([\w.*-][\w./*-]*(?:/|\.(?:{_ENDINGS})))`")
FOREIGN = {"security.txt"}
"""Names of files that are not the repository's."""


def find_paths(line: str) -> tuple[list[Path], list[str]]:
    """Return the files and folders that a line names in backticks, and the names without a file.

    A name without a folder is searched in the folders that the line named before, and then at the root. SERVICE stands
    for any service, and `*` is a wildcard.
    """
    found: list[Path] = []
    missing: list[str] = []
    folders: list[Path] = []
    for name in _NAME.findall(line):
        pattern = name.replace("SERVICE", "*").rstrip("/")
        bases = [ROOT] if "/" in name else [*folders, ROOT]
        paths = next((paths for base in bases if (paths := sorted(base.glob(pattern)))), [])
        if not paths:
            missing += [name] if name not in FOREIGN else []
            continue
        found += paths
        if "/" in name:
            folders.insert(0, paths[0] if paths[0].is_dir() else paths[0].parent)
    return found, missing
