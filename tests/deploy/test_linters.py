"""Linters of other people over what operators get: the Dockerfile, compose, YAML, shell and Kubernetes's schemas."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOLS = Path(sys.executable).parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOOLS / command[0]), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        ("hadolint", "deploy/Dockerfile"),
        ("compose-lint", "check", "--fail-on", "low", "docker-compose.yml"),
        ("yamllint", "--strict", "docker-compose.yml", "deploy", ".compose-lint.yml", ".yamllint.yaml"),
        ("shellcheck", ".ci/run"),
    ],
    ids=lambda command: command[0],
)
def test_the_linter_finds_nothing(command: tuple[str, ...]) -> None:
    """Each file passes its linter; what is excepted has its reason beside it."""
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "name", "text"),
    [
        (("hadolint",), "Dockerfile", "FROM debian\nRUN apt-get install x\n"),
        (
            ("compose-lint", "check", "--fail-on", "low"),
            "compose.yml",
            "services:\n  a: { image: 'b', privileged: true }\n",
        ),
        (("yamllint", "--strict"), "a.yml", "a: 1\na: 2\n"),
        (("shellcheck",), "a.sh", "#!/bin/sh\nrm -rf $1/*\n"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_the_linter_finds_what_is_wrong(tmp_path: Path, command: tuple[str, ...], name: str, text: str) -> None:
    """Each linter runs for real: it refuses a file with a fault."""
    file = tmp_path / name
    file.write_text(text)
    assert run(*command, str(file)).returncode != 0
