"""Large files are read without being in memory."""

import re
from pathlib import Path

from services.ingest.imports.mapped_file import open_mapped
from tests.conftest import wait_for

SIZE = 64 * 1024 * 1024


def resident_file_bytes() -> int:
    found = re.search(r"RssFile:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_open_mapped_does_not_keep_what_was_read(tmp_path: Path) -> None:
    """The pages of a file that was read are released, and its content is still there."""
    file = tmp_path / "export.xml"
    file.write_bytes(b"<item>" + b"x" * SIZE + b"</item>")
    before = resident_file_bytes()
    with open_mapped(file) as content:
        assert content.find(b"</item>") == SIZE + 6
        wait_for(lambda: resident_file_bytes() - before < SIZE // 8, what="the release")
        assert re.search(rb"x</item>$", content) is not None
        assert content[:7] == b"<item>x"
