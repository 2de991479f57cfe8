"""What is served at /t.js: made of the source, small, and told apart by what a client takes."""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.http.negotiation import etag_matches, takes_gzip

FOLDER = Path(__file__).parent.parent.parent.parent / "services/ingest/collector/tracker"
SERVED_BYTES_MAX = 1_200


def test_what_is_served_is_made_of_the_source(tmp_path: Path) -> None:
    """t.min.js is byte for byte what `make tracker` makes of t.js with the locked minifier."""
    for name in ("t.js", "package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, tmp_path)
    for command in (["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "t.min.js").read_bytes() == (FOLDER / "t.min.js").read_bytes(), "run `make tracker`"


def test_the_lock_says_not_where_packages_come_from() -> None:
    """The minifier's lock has a checksum for each package and no address of a registry."""
    lock = (FOLDER / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/') > 0


def test_a_reader_loads_at_most_1200_bytes(system: Any) -> None:
    """Through the gateway the compressed tracker has at most 1,200 bytes, whatever else the client takes."""
    plain = system.get("/t.js", accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    assert plain.body == (FOLDER / "t.min.js").read_bytes()
    for accepted in ("gzip", "gzip, deflate, br, zstd"):
        small = system.get("/t.js", accept_encoding=accepted)
        assert small.headers["content-encoding"] == "gzip"
        assert small.headers["content-type"] == "text/javascript; charset=utf-8"
        assert len(small.body) <= SERVED_BYTES_MAX
        assert gzip.decompress(small.body) == plain.body


def test_an_unchanged_tracker_is_not_sent_again(system: Any) -> None:
    """Each form has a tag of its own; who has it gets 304, and caches are told what it depends on."""
    tags = set()
    for accepted in ("gzip", "identity"):
        first = system.get("/t.js", accept_encoding=accepted)
        tag = first.headers["etag"]
        assert "accept-encoding" in first.headers["vary"].lower()
        assert "max-age=3600" in first.headers["cache-control"]
        again = system.get("/t.js", accept_encoding=accepted, if_none_match=f'"other", W/{tag}')
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
        assert system.get("/t.js", accept_encoding=accepted, if_none_match='"other"').status == 200
        tags.add(tag)
    assert len(tags) == 2


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.0, *", False),
        ("", False),
        ("br", False),
        ("x-gzippy", False),
    ],
)
def test_only_those_who_take_gzip_get_it(accepted: str, takes: bool) -> None:
    """Accept-Encoding is read as HTTP says, with its weights."""
    assert takes_gzip(accepted) is takes


def test_any_tag_is_known_to_a_star() -> None:
    """`If-None-Match: *` is every tag; an empty one is none."""
    assert etag_matches('"a"', "*")
    assert not etag_matches('"a"', "")
