"""Third-party linters for the Dockerfile, Compose, YAML and shell files."""

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
def test_linter_reports_nothing_on_shipped_files(command: tuple[str, ...]) -> None:
    """Each file passes its linter; each exception has its reason next to it."""
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
def test_linter_reports_a_faulty_file(tmp_path: Path, command: tuple[str, ...], name: str, text: str) -> None:
    """Each linter really runs: it rejects a faulty file."""
    file = tmp_path / name
    file.write_text(text)
    assert run(*command, str(file)).returncode != 0
