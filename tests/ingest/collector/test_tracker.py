"""The served tracker: built from the source, small, and negotiated by coding."""

import gzip
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.http.negotiation import etag_matches, takes_gzip

FOLDER = Path(__file__).parent.parent.parent.parent / "services/ingest/collector/tracker"
SERVED_BYTES_MAX = 1_200


def test_minified_tracker_equals_built_source(tmp_path: Path) -> None:
    """t.min.js is byte for byte what `make tracker` builds from t.js with the locked minifier."""
    for name in ("t.js", "package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, tmp_path)
    for command in (["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["npm", "run", "build"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "t.min.js").read_bytes() == (FOLDER / "t.min.js").read_bytes(), "run `make tracker`"


def test_lock_file_has_checksums_and_no_registry_urls() -> None:
    """The lock file of the minifier has a checksum for each package and no registry URL."""
    lock = (FOLDER / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') == lock.count('"node_modules/') > 0


def test_tracker_over_gateway_has_at_most_1200_bytes(system: Any) -> None:
    """Through the gateway the compressed tracker has at most 1,200 bytes, whatever else the client accepts."""
    plain = system.get("/t.js", accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    assert plain.body == (FOLDER / "t.min.js").read_bytes()
    for accepted in ("gzip", "gzip, deflate, br, zstd"):
        small = system.get("/t.js", accept_encoding=accepted)
        assert small.headers["content-encoding"] == "gzip"
        assert small.headers["content-type"] == "text/javascript; charset=utf-8"
        assert len(small.body) <= SERVED_BYTES_MAX
        assert gzip.decompress(small.body) == plain.body


def test_tracker_with_known_etag_is_304(system: Any) -> None:
    """Each coding has its own ETag; a request with it gets 304, and `vary` names the header."""
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
def test_takes_gzip_follows_accept_encoding(accepted: str, takes: bool) -> None:
    """Accept-Encoding is evaluated as in RFC 9110, with weights."""
    assert takes_gzip(accepted) is takes


def test_etag_matches_star_and_not_empty() -> None:
    """`If-None-Match: *` matches every ETag; an empty header matches none."""
    assert etag_matches('"a"', "*")
    assert not etag_matches('"a"', "")
