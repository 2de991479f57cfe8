"""The preparation of a new clone: two commands that start in it together install once."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import wait_for

ROOT = Path(__file__).parent.parent.parent
FILES = ("deploy/__init__.py", "deploy/local/__init__.py", "deploy/local/bootstrap.py", "deploy/local/state.py")
FETCH = "from deploy.local import bootstrap; bootstrap.fetch_jars()"
INSTALL = (
    "from pathlib import Path; from deploy.local import bootstrap\n"
    "bootstrap.install_packages(bootstrap.ROOT / '.venv', bootstrap.ROOT / 'requirements.txt')"
)
MAVEN = """#!/bin/sh
echo "$@" >> "$CALLS"
while [ ! -e "$RELEASED" ]; do sleep 0.02; done
for argument in "$@"; do case $argument in -DoutputDirectory=*) mkdir "${argument#*=}";; esac; done
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with only what prepares it, and a Maven that downloads when the test says so."""
    for name in (*FILES, "deploy/local/pom.xml"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    (tmp_path / "requirements.txt").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mvn").write_text(MAVEN)
    (tmp_path / "bin/mvn").chmod(0o755)
    return tmp_path


def run_twice(clone: Path, program: str) -> list[subprocess.Popen[str]]:
    """Run a program twice at the same time, each with its output in a file of the clone."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP", "PRESSTALLY_HOME")},
        "PATH": f"{clone / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "CALLS": str(clone / "calls"),
        "RELEASED": str(clone / "released"),
    }
    running = []
    for number in range(2):
        with (clone / f"output{number}").open("w") as output:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-c", program],
                    cwd=clone,
                    env=environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
    return running


def outputs(clone: Path) -> str:
    return "".join((clone / f"output{number}").read_text() for number in range(2))


def test_two_commands_download_kafka_once(clone: Path) -> None:
    """The second command says that it waits, and uses what the first one downloaded."""
    running = run_twice(clone, FETCH)
    calls = clone / "calls"
    wait_for(lambda: calls.exists() and ("waiting" in outputs(clone) or calls.read_text().count("\n") == 2))
    (clone / "released").touch()
    assert [process.wait(60) for process in running] == [0, 0], outputs(clone)
    assert calls.read_text().count("\n") == 1
    assert outputs(clone).count("presstally: waiting for another installation in this folder") == 1
    assert [folder.name for folder in (clone / ".local-cache").iterdir() if folder.is_dir()] == [
        next((clone / ".local-cache").glob("kafka-jars-*")).name
    ]


def test_two_commands_create_one_environment(clone: Path) -> None:
    """The environment is created by one command, and is whole for both."""
    running = run_twice(clone, INSTALL)
    assert [process.wait(60) for process in running] == [0, 0], outputs(clone)
    assert outputs(clone).count("installing Python packages") == 1
    assert subprocess.run([clone / ".venv/bin/python", "-c", ""], check=False).returncode == 0


def test_damaged_kafka_is_downloaded_again(clone: Path) -> None:
    """A jar that a power failure has cut off is named and replaced; with none of them nothing is downloaded."""
    (clone / "released").touch()
    environment = {"PATH": f"{clone / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(clone)}
    environment |= {"CALLS": str(clone / "calls"), "RELEASED": str(clone / "released"), "PRESSTALLY_HOME": str(clone)}

    def fetch() -> str:
        command = [sys.executable, "-c", FETCH]
        return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=True).stdout

    fetch()
    (folder,) = (clone / ".local-cache").glob("kafka-jars-*")
    with zipfile.ZipFile(folder / "whole.jar", "w") as jar:
        jar.writestr("a", "b")
    assert fetch() == ""
    (folder / "kafka-clients.jar").write_bytes((folder / "whole.jar").read_bytes()[:40])
    assert f"presstally: {folder / 'kafka-clients.jar'} is damaged\n" in fetch()
    assert not (folder / "kafka-clients.jar").exists()
    assert (clone / "calls").read_text().count("\n") == 2
