"""Functions of modules that are imported when they are first called."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_late_function_is_called_with_its_arguments() -> None:
    """Calling it imports its module and returns what the function there does; before, the module is not imported."""
    program = (
        "import sys; from shared.late_imports import late; pack = late('colorsys', 'rgb_to_hsv');"
        "print('colorsys' in sys.modules, pack(1.0, 1.0, 1.0), 'colorsys' in sys.modules, pack.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "(0.0,", "0.0,", "1.0)", "True", "colorsys"]
