"""The sample portal, published once on the running system, and the validators, installed once from their lock."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.demo_site.publishing import publish_sample

ROOT = Path(__file__).parent.parent.parent
LOCKED = Path(__file__).parent / "npm"


@pytest.fixture(scope="session")
def sample(system: Any) -> dict[str, str]:
    """Publish the sample articles; return {name: path} of typical pages."""
    command = [sys.executable, "-m", "services.ingest", "token", "create", "--name", "Mẫu", "--scope", "admin"]
    stores = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    done = subprocess.run(
        command, cwd=ROOT, env={**system.environment, **stores}, capture_output=True, text=True, check=True
    )
    return publish_sample(system.url, done.stdout.strip(), more=False)


@pytest.fixture(scope="session")
def validators() -> Path:
    """Install Lighthouse and the Nu HTML checker from the lock, unless installed; return their folder."""
    lock = (LOCKED / "package-lock.json").read_bytes()
    folder = ROOT / ".local-cache" / f"npm-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (folder / "installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            (folder / name).write_bytes((LOCKED / name).read_bytes())
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (folder / "installed").touch()
    return folder / "node_modules"
