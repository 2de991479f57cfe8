"""The built scripts of the newsroom: made from the committed sources, locked, small, licensed, in two languages."""

import gzip
import re
import subprocess
from pathlib import Path

from tests.ingest.newsroom.client.scripts import SOURCE, copy_client

STATIC = SOURCE.parent / "static"
SCRIPT_BYTES_MAX = 130_000


def test_static_scripts_equal_built_sources(tmp_path: Path) -> None:
    """The committed scripts and licences are byte for byte what `make newsroom` builds with the locked packages."""
    folder = copy_client(tmp_path / "client")
    built = tmp_path / "static"
    built.mkdir()
    done = subprocess.run(
        ["node", "--preserve-symlinks", "build.mjs", "../static"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = sorted(file.name for file in built.iterdir())
    assert {"write.js", "LICENSES.txt"} <= set(names)
    for name in names:
        assert (built / name).read_bytes() == (STATIC / name).read_bytes(), "run `make newsroom`"


def test_client_lock_has_checksums_and_no_registry_urls() -> None:
    """The lock file has a checksum for each package and no registry URL."""
    lock = (SOURCE / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/') > 0


def test_initial_scripts_have_at_most_130_kilobytes() -> None:
    """All scripts of the newsroom together have at most 130 KB, compressed."""
    assert sum(len(gzip.compress(file.read_bytes(), 9)) for file in STATIC.glob("*.js")) <= SCRIPT_BYTES_MAX


def test_scripts_use_no_sink_of_trusted_types() -> None:
    """The sources write no HTML, run no text as code, and set no style attribute."""
    sinks = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|\beval\(|new Function"
        r"|new DOMParser|parseFromString|pasteHTML|setAttribute\(\"style\"|createPolicy"
    )
    files = SOURCE.rglob("src/**/*.js")
    found = [f"{file.name}: {match[0]}" for file in files for match in sinks.finditer(file.read_text(encoding="utf-8"))]
    assert not found


def test_script_texts_have_two_languages() -> None:
    """Each text of the scripts is there in Vietnamese and in English, with the same values."""
    source = (SOURCE / "src/texts.js").read_text(encoding="utf-8")
    quoted = r"(\"(?:[^\"\\]|\\.)*\")"
    entries = re.findall(rf"^  (\w+): \[\s*{quoted},\s*{quoted},?\s*\],$", source, re.MULTILINE)
    assert len(entries) == len(re.findall(r"^  \w+: \[", source, re.MULTILINE)) > 100
    for name, vietnamese, english in entries:
        values = [set(re.findall(r"\{\w+\}", text)) for text in (vietnamese, english)]
        assert values[0] == values[1], name
