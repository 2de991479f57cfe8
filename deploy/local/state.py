"""The files by which a local installation is found: `stack.json`, and `environment.json` for programs that use it.

Standard library only.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_USED_BY_PROGRAMS = ("PRESSTALLY_", "KAFKA_", "DATABASE_URL")


def read_state(home: Path) -> dict[str, Any] | None:
    """Return what `stack.json` says; None if there is none, or it is being written."""
    try:
        state = json.loads((home / "stack.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and "url" in state else None


def sites_path(home: Path, checkout: Path) -> Path:
    """Return where the sites are declared if PRESSTALLY_SITES does not say: in `sites` of the home, or the sample."""
    own = home / "sites"
    is_used = any(not file.name.startswith(".") for file in own.glob("*.toml"))
    return own if is_used else checkout / "sites.toml"


def read_environment(home: Path) -> dict[str, str]:
    """Return the environment that the running services were started with, as far as they read it."""
    try:
        return dict(json.loads((home / "environment.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def write_environment(home: Path, environment: Mapping[str, str]) -> None:
    """Keep what the services read of their environment. Only this account can read it: it has passwords."""
    used = {name: value for name, value in environment.items() if name.startswith(_USED_BY_PROGRAMS)}
    unfinished = home / "environment.unfinished"
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(used, file, indent=2)
    unfinished.replace(home / "environment.json")
