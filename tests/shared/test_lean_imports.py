"""Packages without their optional extras: what is hidden meanwhile is found again afterwards."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared.lean_imports import without

ROOT = Path(__file__).parent.parent.parent


def test_package_that_was_hidden_can_be_imported_afterwards() -> None:
    """Commands show progress with rich although the log was set up without it."""
    program = "import shared.logs, rich.progress, structlog; print(structlog.dev.rich, rich.progress.Progress.__name__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "Progress"]


def test_package_that_is_imported_already_is_not_hidden() -> None:
    """Hiding a package never takes it from those that have it."""
    with without("json"):
        import json as again
    assert again is json
    assert sys.modules["json"] is json


def test_package_is_found_again_after_a_failed_import() -> None:
    """An error within the block leaves nothing hidden."""
    with pytest.raises(ImportError), without("sched"):
        import sched  # noqa: F401
    import sched as found

    assert found.scheduler
