"""npm packages of tests, installed once from their lock."""

import hashlib
import subprocess
from pathlib import Path

from deploy.local.bootstrap import only_installer

CACHE = Path(__file__).parent.parent / ".local-cache"


def install_locked(locked: Path, cache: Path = CACHE) -> Path:
    """Install what a folder's package-lock.json names, unless it is installed; return the `node_modules`.

    Processes of the suite that need the same packages in a new clone wait for the first of them.
    """
    lock = (locked / "package-lock.json").read_bytes()
    folder = cache / f"npm-{hashlib.sha256(lock).hexdigest()[:12]}"
    with only_installer(folder):
        if not (folder / "installed").exists():
            for name in ("package.json", "package-lock.json"):
                (folder / name).write_bytes((locked / name).read_bytes())
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            (folder / "installed").touch()
    return folder / "node_modules"
