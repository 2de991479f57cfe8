"""`presstally`: what it acts on, its words, help, completions and exit codes."""

import importlib
import json
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import shtab

from deploy.cli import installation
from deploy.cli.__main__ import main
from deploy.cli.completion import whole_parser
from deploy.cli.installation import InstallationError, find_installation, without_password
from deploy.cli.sites import describe_changes
from deploy.cli.words import LOCAL, SERVICES, WORDS
from deploy.local import bootstrap
from shared.sites import Section, Site, Sites
from tests.conftest import wait_for

ROOT = Path(__file__).parent.parent.parent
PROGRAM = ROOT / "presstally"
STORES = {"KAFKA_BOOTSTRAP": "kafka.example:9092", "DATABASE_URL": "postgresql://ann:secret@db.example:5432/portal"}


def presstally(
    *words: str, home: Path | None = None, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the program of the checkout as an operator does, under the tests' Python."""
    own = {name: value for name, value in os.environ.items() if name not in STORES}
    own["PATH"] = f"{Path(sys.executable).parent}:{own['PATH']}"
    if home is not None:
        own["PRESSTALLY_HOME"] = str(home)
    return subprocess.run(
        [str(PROGRAM), *words], cwd=cwd, env={**own, **environment}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Make this home's installation look running, with a state file and the environment of its services."""
    monkeypatch.setenv("PRESSTALLY_HOME", str(tmp_path))
    monkeypatch.setattr(bootstrap, "running_url", lambda: "http://localhost:9000")

    def write(environment: dict[str, str], **state: Any) -> None:
        whole = {"url": "http://localhost:9000", "checkout": str(ROOT), "pid": 1, "ready": True, **state}
        (tmp_path / "stack.json").write_text(json.dumps(whole))
        (tmp_path / "environment.json").write_text(json.dumps(environment))

    return write


def test_help_works_before_anything_is_installed(tmp_path: Path) -> None:
    """A fresh clone has no packages: the overview needs the standard library only."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from deploy.cli.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-I", "-S", "-c", script, "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for word in WORDS:
        assert f"\n  {word} " in done.stdout


def test_program_runs_from_any_folder(tmp_path: Path) -> None:
    """Files that are named relative to the operator's folder are those files; modules there are not imported."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/__init__.py").write_text("raise SystemExit('the wrong package')")
    (tmp_path / "mine.toml").write_bytes((ROOT / "sites.toml").read_bytes())
    link = tmp_path / "presstally"
    link.symlink_to(PROGRAM)
    done = presstally("sites", "check", "mine.toml", cwd=tmp_path, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("mine.toml: ")
    again = subprocess.run([str(link), "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.stdout.startswith("presstally ")


@pytest.mark.parametrize("version", ["Python 3.6.8", "Python 3.10.12"])
def test_old_python_is_one_sentence(tmp_path: Path, version: str) -> None:
    """An old Python only says which one it is; nothing of the program is parsed by it."""
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        old = tmp_path / name
        old.write_text(f"#!/bin/sh\n[ \"$1\" = --version ] && exec echo '{version}'\nexit 1\n")
        old.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin"
    done = subprocess.run([str(PROGRAM), "up"], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"presstally: Python 3.11 or newer is needed, and found {version}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("word", "hint"), [("statu", "presstally status"), ("verify", "--help"), ("imports", "--help"), ("dwon", "down")]
)
def test_unknown_word_is_wrong_usage_with_a_hint(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, and the nearest command or where they are listed."""
    assert main([word]) == 2
    message = capsys.readouterr().err
    assert repr(word) in message
    assert hint in message


def test_command_without_an_installation_says_how_to_start_one(tmp_path: Path) -> None:
    """One line with the folder and the command, and exit code 1: nothing is installed, no traceback."""
    for words in (("stats", "verify"), ("ingest", "token", "list"), ("topics", "check"), ("migrate",)):
        done = presstally(*words, home=tmp_path)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert done.stderr.count("\n") == 1
        assert f"nothing is running at {tmp_path}" in done.stderr
        assert "`./presstally up`" in done.stderr


def test_running_installation_is_found_by_its_state_file(running: Callable[..., None], tmp_path: Path) -> None:
    """Its ports and settings count, not those of the environment."""
    running({"KAFKA_BOOTSTRAP": "127.0.0.1:9004", "DATABASE_URL": "postgresql://x/y", "PRESSTALLY_PORT": "9000"})
    found = find_installation({"PRESSTALLY_PORT": "7000", "HOME": "/root"})
    assert found.environment["PRESSTALLY_PORT"] == "9000"
    assert found.environment["KAFKA_BOOTSTRAP"] == "127.0.0.1:9004"
    assert found.environment["HOME"] == "/root"
    assert found.description == f"the local installation at http://localhost:9000 ({tmp_path})"


def test_environment_that_names_other_stores_than_the_running_installation_is_refused(
    running: Callable[..., None],
) -> None:
    """Neither is chosen silently: a correction of counts must not hit the wrong portal."""
    running({"KAFKA_BOOTSTRAP": "127.0.0.1:9004", "DATABASE_URL": "postgresql://x/y"})
    with pytest.raises(InstallationError, match=r"DATABASE_URL of the environment is not that .*unset DATABASE_URL"):
        find_installation({"DATABASE_URL": STORES["DATABASE_URL"]})
    assert find_installation({"DATABASE_URL": "postgresql://x/y"}).description.startswith("the local installation")


def test_installation_of_another_checkout_is_refused(running: Callable[..., None]) -> None:
    """Another checkout may have other migrations: its own program is named."""
    running({}, checkout="/srv/other")
    with pytest.raises(InstallationError, match="started from /srv/other; use /srv/other/presstally"):
        find_installation({})


def test_stores_of_the_environment_are_named_without_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container or beside another Kafka, the environment names the installation; one variable alone does not."""
    monkeypatch.setattr(bootstrap, "running_url", lambda: None)
    description = find_installation(STORES).description
    assert description == "Kafka kafka.example:9092 and Postgres db.example:5432/portal, of the environment"
    with pytest.raises(InstallationError, match="with DATABASE_URL"):
        find_installation({"KAFKA_BOOTSTRAP": "kafka.example:9092"})
    assert without_password("postgresql://ann:p@ss@db/portal") == "db/portal"


def test_image_has_no_local_installation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no checkout, the verbs of the local installation say so."""
    monkeypatch.setattr(installation, "CHECKOUT", False)
    for verb in LOCAL:
        assert main([verb]) == 1
        assert "only in a checkout" in capsys.readouterr().err
    assert find_installation(STORES).environment == STORES
    with pytest.raises(InstallationError, match="KAFKA_BOOTSTRAP and DATABASE_URL"):
        find_installation({})


@pytest.mark.parametrize("service", SERVICES)
def test_every_command_has_help_with_examples(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command of each service shows how it is called, and its examples are accepted by its parser."""
    command_line = importlib.import_module(f"services.{service}.__main__").COMMAND_LINE
    assert main([service]) == 0
    overview = capsys.readouterr().out
    for name, command in command_line.commands.items():
        assert f"  {name:<12}Command: {command.help}" in overview
        assert main([service, name, "--help"]) == 0
        assert f"usage: presstally {service} {name}" in capsys.readouterr().out
        assert command.examples, name
        for example in command.examples:
            command_line.command_parser(name, "presstally").parse_args(shlex.split(example))


def test_output_that_nobody_reads_is_no_failure() -> None:
    """`presstally … | head` ends without a message."""
    command = ["bash", "-c", f"set -o pipefail; '{PROGRAM}' completion zsh | head -n 1"]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done


@pytest.mark.parametrize("buffered", ["", "1"])
@pytest.mark.parametrize("words", [("--help",), ("sites", "check"), ("stats", "verify", "--help"), ("logs",)])
def test_closed_pipe_is_no_failure(words: tuple[str, ...], buffered: str, tmp_path: Path) -> None:
    """Whenever the text is written, a reader that has gone leaves no message and the exit code 0."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/stats.log").write_text("x\n")
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"PYTHONUNBUFFERED": buffered, "PRESSTALLY_HOME": str(tmp_path)}
    done = subprocess.run([str(PROGRAM), *words], env=environment, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b""), done


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_terminal_without_vietnamese_letters_shows_escapes(encoding: str, tmp_path: Path) -> None:
    """Names of sites are written on every terminal, as well as it can."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment |= {"PYTHONIOENCODING": encoding, "PRESSTALLY_HOME": str(tmp_path)}
    command = [str(PROGRAM), "sites", "check", str(ROOT / "sites.toml")]
    done = subprocess.run(command, env=environment, capture_output=True, encoding=encoding, check=False)
    name = "Trang thông tin điện tử huyện Hải Hậu" if encoding == "utf-8" else "i\\u1ec7n t\\u1eed huy\\u1ec7n"
    assert (done.returncode, done.stderr) == (0, ""), done
    assert name in done.stdout


def test_closed_streams_are_no_failure(tmp_path: Path) -> None:
    """A program that was started without streams, as some schedulers do, works and keeps its exit code."""
    scripts = [f"'{PROGRAM}' sites check '{place}' <&- >&- 2>&-; echo $?" for place in (ROOT / "sites.toml", "x")]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["PRESSTALLY_HOME"] = str(tmp_path)
    done = subprocess.run(
        ["sh", "-c", "; ".join(scripts)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["0", "1"], done


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completions_have_every_command(shell: str, tmp_path: Path) -> None:
    """The script is valid for its shell and has each word, each command and their options."""
    script = shtab.complete(whole_parser(), shell)
    for word in (*WORDS, "verify", "republish", "--with-counter", "--new-log", "--follow"):
        assert word in script, word
    if shell == "bash":
        file = tmp_path / "presstally"
        file.write_text(script)
        done = subprocess.run(["bash", "-euc", f". {file}; complete -p presstally"], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_sites_check_reports_every_error(tmp_path: Path) -> None:
    """A file that the services would refuse is refused before anything restarts, with each error."""
    text = (ROOT / "sites.toml").read_text(encoding="utf-8")
    bad = tmp_path / "bad.toml"
    bad.write_text(text.replace("Asia/Ho_Chi_Minh", "Asia/Hanoi").replace('origins = ["', 'origins = ["ftp://'))
    done = presstally("sites", "check", str(bad), home=tmp_path)
    assert done.returncode == 1
    assert "Asia/Hanoi" in done.stderr
    assert "ftp://" in done.stderr
    assert "Traceback" not in done.stderr
    assert presstally("sites", "check", str(tmp_path / "none.toml"), home=tmp_path).returncode == 1


def test_sites_check_says_what_is_only_known_here(tmp_path: Path) -> None:
    """A folder, a theme and the statistics' tokens are checked, too; without a running installation that is all."""
    (tmp_path / "theme").mkdir()
    (tmp_path / "theme/article.html").write_text("{{ article.titel }}")
    table = '[[site]]\nslug = "a"\nname = "A"\norigins = ["https://a.vn"]\ntimezone = "UTC"\n'
    folder = tmp_path / "sites"
    folder.mkdir()
    assert "no file" in presstally("sites", "check", str(folder), home=tmp_path).stderr
    (folder / "a.toml").write_text(f'{table}theme = "../theme"\n')
    done = presstally("sites", "check", str(folder), home=tmp_path)
    assert (done.returncode, "article.html, line 1" in done.stderr) == (1, True)
    (folder / "a.toml").write_text(f'{table}statistics = "token"\n', encoding="utf-8-sig", newline="\r\n")
    done = presstally("sites", "check", str(folder), home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "note: site a needs a token in PRESSTALLY_STATISTICS_TOKENS" in done.stdout
    assert "running" not in done.stdout
    assert presstally("sites", "check", "--wrong", home=tmp_path).returncode == 2


def test_describe_changes_names_each_change_and_its_effect() -> None:
    """One line for each site, with what a change of its zone, address or identity means."""
    before = Site(slug="a", name="A", origins=["https://a.vn"], timezone="UTC", sections=[Section("x", "X")])
    gone = msgspec.structs.replace(before, slug="gone")
    after = msgspec.structs.replace(
        before,
        origins=["https://b.vn", "https://a.vn"],
        timezone="Asia/Ho_Chi_Minh",
        identity="tag:a.vn,2026",
        tagline="T",
        sections=[Section("y", "Y")],
    )
    running = {one.slug: msgspec.to_builtins(one) for one in (before, gone)}
    added = msgspec.structs.replace(before, slug="neu")
    lines = describe_changes(running, Sites(a=after, neu=added))
    assert lines[0] == "+ neu is added"
    assert lines[1].startswith("- gone is removed")
    for part in ("from https://a.vn to https://b.vn", "stats rebuild", "permanent id", "tagline", "sections +y -x"):
        assert part in lines[2], part
    assert describe_changes(running, Sites(a=before, gone=gone)) == []
    assert "gone answers for unknown hosts" in describe_changes(running, Sites(gone=gone, a=before))[0]


def test_sites_check_compares_with_the_running_installation(system: Any, tmp_path: Path) -> None:
    """It says what would change, and that sections of the file are only a seed."""
    own = Path(system.environment["PRESSTALLY_SITES"])
    same = presstally("sites", "check", home=system.home)
    assert same.returncode == 0, same.stderr
    assert "nothing changes" in same.stdout
    new = tmp_path / "new.toml"
    new.write_text(own.read_text().replace('slug = "tin-tuc", name = "Tin tức"', 'slug = "moi", name = "Mới"'))
    done = presstally("sites", "check", str(new), home=system.home)
    assert done.returncode == 0, done.stderr
    assert "~ haihau: sections +moi -tin-tuc" in done.stdout
    assert "note: site haihau: the sections of the file only seeded it" in done.stdout


def test_console_script_of_the_package_is_this_program() -> None:
    """An installed package has the same program."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["presstally"].partition(":")
    assert getattr(importlib.import_module(module), function) is main


def test_verbs_of_the_running_system(system: Any) -> None:
    """On the running system: what it acts on is on standard error, results alone on standard output."""
    home = system.home
    done = presstally("ingest", "token", "create", "--name", "dòng lệnh", "--scope", "read", home=home)
    assert done.returncode == 0, done.stderr
    acting = f"presstally: acting on the local installation at {system.url} ({home})\n"
    assert done.stderr.startswith(acting)
    assert done.stdout.startswith("pt_")
    quiet = presstally("-q", "topics", "check", home=home)
    assert (quiet.returncode, quiet.stderr) == (0, ""), quiet
    shown = quiet

    def shows_ready() -> bool:  # services answer now, and a busy machine may keep one of them waiting
        nonlocal shown
        shown = presstally("status", home=home)
        return shown.stdout.startswith(f"presstally: running at {system.url} ({home}), ready\n")

    wait_for(shows_ready, 60, "the services")
    assert json.loads(presstally("status", "--json", home=home).stdout)["url"] == system.url
    secret = json.loads((home / "environment.json").read_text())["DATABASE_URL"]
    assert secret not in shown.stdout
    assert (home / "environment.json").stat().st_mode & 0o077 == 0
    logs = presstally("logs", "stats", "--lines", "5", home=home)
    assert logs.returncode == 0
    assert len(logs.stdout.splitlines()) <= 5
    assert "no log of nothing" in presstally("logs", "nothing", home=home).stderr
    assert presstally("stats", "verify", "--wrong", home=home).returncode == 2
