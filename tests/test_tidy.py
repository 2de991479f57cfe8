"""Habits that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYTHON = [
    file for folder in ("shared", "services", "deploy", "tests") for file in sorted((ROOT / folder).rglob("*.py"))
]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 400


def functions(file: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_every_test_says_what_must_hold() -> None:
    """Each test has a docstring of one sentence."""
    for file in (ROOT / "tests").rglob("test_*.py"):
        for function in functions(file):
            if function.name.startswith("test_"):
                said = ast.get_docstring(function) or ""
                assert said.endswith("."), f"{file.name}: {function.name}"
                assert "\n" not in said, f"{file.name}: {function.name}"


def test_functions_and_files_stay_readable() -> None:
    """No function is longer than 70 lines and no file of ours longer than 400."""
    for file in PYTHON:
        if "tests" not in file.parts:
            assert len(file.read_text(encoding="utf-8").splitlines()) <= FILE_LINES_MAX, file
        for function in functions(file):
            assert (function.end_lineno or 0) - function.lineno < FUNCTION_LINES_MAX, f"{file}: {function.name}"


def test_nothing_is_left_to_do() -> None:
    """No file has a note that something is to be done later."""
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
    for name in TRACKED:
        file = ROOT / name
        if file.suffix in {".py", ".js", ".css", ".html", ".md", ".toml", ".sql"} and file.exists():
            assert not words.search(file.read_text(encoding="utf-8")), name


def test_locks_have_hashes_and_no_addresses() -> None:
    """Every locked package has its hashes, and no lock file says where packages come from."""
    for name in (
        "requirements.txt",
        "requirements-local.txt",
        "requirements-tracing.txt",
        "requirements-dev.txt",
        "tests/bench/competitors/requirements.txt",
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        packages = re.findall(r"^[a-z0-9-]+==.*$", text, re.MULTILINE)
        assert packages
        assert all(line.endswith("\\") for line in packages)
        assert "://" not in text
        assert "index-url" not in text


def test_walls_between_services_hold() -> None:
    """Services do not import each other, shared imports no service, pure modules do no input or output."""
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-local.txt", "requirements-tracing.txt"])
def test_smaller_locks_agree_with_the_larger(name: str) -> None:
    """What runs is what was tested: the same versions stand in every lock file."""
    everything = set(re.findall(r"^[a-z0-9-]+==[^ ;]+", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
    assert set(re.findall(r"^[a-z0-9-]+==[^ ;]+", (ROOT / name).read_text(), re.MULTILINE)) <= everything
