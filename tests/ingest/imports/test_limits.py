"""Bounds of the import readers: a corpus of hostile files stays within them, and ordinary files pass."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.ingest.imports.front_matter_bounds import FRONT_MATTER_DEPTH_MAX, load_front_matter
from services.ingest.imports.item import FormatError
from services.ingest.imports.limits import (
    JSON_BYTES_PER_VALUE,
    PAGE_TAGS_MAX,
    TAG_ATTRIBUTES_MAX,
    check_json_values,
    check_page,
)
from tests.ingest.imports.bombs import BOMBS

ROOT = Path(__file__).parent.parent.parent.parent
MEGABYTES_MAX = 64
SECONDS_MAX = 2.0
"""Of the processor, so that other programs do not matter; the worst takes half of it."""


@pytest.fixture(scope="module")
def measured() -> dict[str, tuple[int, float, str]]:
    """{name: megabytes, processor seconds and outcome} of each hostile file."""
    command = [sys.executable, "-m", "tests.ingest.imports.bombs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_file_is_read_within_bounds(measured: dict[str, tuple[int, float, str]], name: str) -> None:
    """A file that is small and wants to become large or slow costs 64 MB and two seconds at most, and no crash."""
    megabytes, seconds, outcome = measured[name]
    assert megabytes <= MEGABYTES_MAX, outcome
    assert seconds <= SECONDS_MAX, outcome
    assert not outcome.startswith("raised"), outcome


def test_front_matter_within_bounds_stays_text() -> None:
    """Ordinary front matter is read; its values stay text, so that the title "No" is not false."""
    text = "title: A\ndraft: true\nviews: 12\ntags: [a, b]\ndate: 2026-03-04\nnested: {a: [{b: c}]}\nempty:\n"
    fields = load_front_matter(text)
    assert (fields["draft"], fields["views"], fields["tags"], fields["empty"]) == ("true", "12", ["a", "b"], "")
    assert load_front_matter("") is None
    assert load_front_matter("title: '*no alias'")["title"] == "*no alias"
    deepest = "a: " + "[" * (FRONT_MATTER_DEPTH_MAX - 2) + "b" + "]" * (FRONT_MATTER_DEPTH_MAX - 2)
    assert load_front_matter(deepest)


def test_large_export_may_have_more_values() -> None:
    """The bound on values grows with the file, because articles consist of long texts."""
    row = '{"title":"A","html":"' + "một câu, và một câu. " * 30 + '"},'
    export = ("[" + row * 150_000 + "0]").encode()
    assert len(export) // JSON_BYTES_PER_VALUE > 500_000
    check_json_values(export)
    with pytest.raises(FormatError, match="at most 10 values"):
        check_json_values(b"[1,2,3,4,5,6,7,8,9,10,11]", 10)


def test_page_of_an_old_portal_passes() -> None:
    """A page with many tags, attributes, quotes and long values passes."""
    image = f"<img alt='a > b' title=\"{'câu ' * 2_000}\" src='data:image/png;base64,{'Ab/+' * 20_000}' a b = c/>"
    attributes = " ".join(f"data-{number}='x y z'" for number in range(TAG_ATTRIBUTES_MAX))
    check_page(f"<p {attributes}>don't</p>{image * 20}{'<br/>' * (PAGE_TAGS_MAX - 50)} 1 < 2".encode())
