"""The folder of an export: files are replaced only when they change, and stale ones are removed."""

import gzip
import resource
from pathlib import Path

import pytest

from services.render.export.folder import MANIFEST, ExportFolderError, file_name, open_folder
from services.render.pages.document import HTML, Document

LARGE = Document(b"<p>" + b"x" * 2_000)


@pytest.mark.parametrize(
    ("url", "media_type", "expected"),
    [
        ("/", HTML, "index.html"),
        ("/tin-tuc/", HTML, "tin-tuc/index.html"),
        ("/bai-1.html", HTML, "bai-1.html"),
        ("/so-do-site", HTML, "so-do-site/index.html"),
        ("/rss.xml", "application/rss+xml", "rss.xml"),
    ],
)
def test_file_name_is_what_a_file_server_serves(url: str, media_type: str, expected: str) -> None:
    """A page without an ending of its own is the index of its folder."""
    assert file_name(url, media_type) == expected


@pytest.mark.parametrize("url", ["/../x.html", "/a//b.html", "/./a"])
def test_file_name_outside_the_folder_is_rejected(url: str) -> None:
    """A path with empty or dot parts has no file."""
    with pytest.raises(ValueError, match="not a path"):
        file_name(url, HTML)


def test_second_export_writes_changes_only_and_removes_stale_files(tmp_path: Path) -> None:
    """Unchanged files stay as they are, with their compressed forms; files of former exports go with their folders."""
    with open_folder(tmp_path, with_gzip=True) as folder:
        for name in ("a.html", "b.html", "old/c.html"):
            folder.put(name, LARGE)
        folder.remove_stale()
        assert (folder.written, folder.unchanged, folder.removed) == (3, 0, 0)
    assert gzip.decompress((tmp_path / "a.html.gz").read_bytes()) == LARGE.body
    (tmp_path / "mine.txt").write_text("kept")
    written_at = (tmp_path / "a.html").stat().st_mtime_ns
    with open_folder(tmp_path, with_gzip=True) as folder:
        folder.put("a.html", LARGE)
        folder.put("b.html", Document(b"small"))
        folder.remove_stale()
        assert (folder.written, folder.unchanged, folder.removed) == (1, 1, 3)
    assert (tmp_path / "a.html").stat().st_mtime_ns == written_at
    left = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")}
    assert left == {MANIFEST, "a.html", "a.html.gz", "b.html", "mine.txt"}


def test_file_that_the_disk_takes_in_part_only_is_an_error(tmp_path: Path) -> None:
    """A file is never replaced by the part of another one for which there was place."""
    most, hard = 16 * 1024 * 1024, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    with open_folder(tmp_path) as folder:
        folder.put("a.html", LARGE)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            with pytest.raises(OSError, match="large"):
                folder.put("a.html", Document(bytes(most + 1), "image/png"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))
    assert (tmp_path / "a.html").read_bytes() == LARGE.body


def test_list_of_files_that_a_full_disk_has_cut_is_continued(tmp_path: Path) -> None:
    """The beginning of a name may be that of a folder: it is no file, and no name is appended to it."""
    with open_folder(tmp_path) as folder:
        folder.put("old/c.html", LARGE)
        folder.remove_stale()
    with (tmp_path / MANIFEST).open("a") as manifest:
        manifest.write("old")  # of "old/d.html", for which there was no room
    with open_folder(tmp_path) as folder:
        folder.put("e.html", LARGE)
        listed = (tmp_path / MANIFEST).read_text()
        folder.remove_stale()
    assert listed == "old/c.html\ne.html\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == [MANIFEST, "e.html"]


def test_open_folder_of_somebody_else_or_in_use_is_refused(tmp_path: Path) -> None:
    """A folder with other files, and one that another export is writing, are not touched."""
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ExportFolderError, match="not an export"), open_folder(tmp_path):
        pass
    with (
        open_folder(tmp_path / "new"),
        pytest.raises(ExportFolderError, match="another export"),
        open_folder(tmp_path / "new"),
    ):
        pass
