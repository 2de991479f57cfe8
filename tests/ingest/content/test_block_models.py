"""Request models of blocks, images, URLs and times."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from services.ingest.content.block_models import Address, BlockIn, ImageAddress, ImageIn, Instant, Line, OldUrl

MEDIA = "0" * 64


def accepted(kind: Any, value: Any) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ("https://bao.example/1", True),
        ("http://bao.example", True),
        ("/bai-1.html", True),
        ("javascript:alert(1)", False),
        ("mailto:a@b.example", False),
        ("bai-1.html", False),
        ("https://" + "x" * 2_000, False),
    ],
)
def test_address_accepts_web_urls_and_paths_only(value: str, valid: bool) -> None:
    """A link begins with https://, http:// or /."""
    assert accepted(Address, value) is valid


@pytest.mark.parametrize("value", ["data:image/png;base64,x", "javascript:x", "ftp://a.example/b.jpg", ""])
def test_image_address_of_another_scheme_is_invalid(value: str) -> None:
    """An image is a file of the portal or of a web server."""
    assert accepted(ImageAddress, "/media/a.jpg")
    assert not accepted(ImageAddress, value)


@pytest.mark.parametrize("value", ["/", "bai.html", "/a b", "//", "/" + "x" * 512])
def test_old_url_without_a_path_is_invalid(value: str) -> None:
    """A former path begins with a slash, has no spaces, and is not the home page."""
    assert accepted(OldUrl, "/news/bai-1.html?id=2")
    assert accepted(OldUrl, value) is False


def test_line_is_normalized_before_its_length_is_checked() -> None:
    """Text is NFC in one line; characters that no text has are errors and are not removed silently."""
    assert TypeAdapter(Line).validate_python("  Tu\u031b\u0323a \n hai ") == "Tựa hai"
    for value in ("a\0b", "\ud800"):
        assert not accepted(Line, value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-24T10:00:00+07:00", datetime(2026, 11, 24, 3, tzinfo=UTC)),
        ("1900-01-01T00:00:00Z", datetime(1900, 1, 1, tzinfo=UTC)),
        ("2200-01-01T00:00:01Z", None),
        ("1899-12-31T23:59:59Z", None),
        ("2026-11-24T10:00:00", None),
        ("hôm qua", None),
    ],
)
def test_instant_needs_a_zone_and_becomes_utc(value: str, expected: datetime | None) -> None:
    """A time has its offset and is between 1900 and 2200."""
    if expected is None:
        assert not accepted(Instant, value)
    else:
        assert TypeAdapter(Instant).validate_python(value) == expected


def test_image_without_media_and_url_is_invalid() -> None:
    """An image is in the media store or has a URL; without both there is nothing to show."""
    assert not accepted(ImageIn, {"alt": "x"})
    assert not accepted(ImageIn, {"media": "x"})
    assert accepted(ImageIn, {"media": MEDIA})
    assert accepted(ImageIn, {"url": "https://a.example/b.jpg"})


@pytest.mark.parametrize(
    ("block", "valid"),
    [
        ({"type": "paragraph", "html": "x"}, True),
        ({"type": "paragraph"}, False),
        ({"type": "heading", "html": "x", "level": 1}, False),
        ({"type": "heading", "html": "x", "level": 4}, True),
        ({"type": "list", "items": []}, False),
        ({"type": "list", "items": [{"html": "x", "items": [{"html": "y"}]}]}, True),
        ({"type": "quote", "paragraphs": []}, False),
        ({"type": "table", "rows": [[]]}, False),
        ({"type": "table", "rows": [[{"html": "x", "colspan": 101}]]}, False),
        ({"type": "embed"}, False),
        ({"type": "embed", "provider": "youtube"}, False),
        ({"type": "embed", "provider": "youtube", "id": "dQw4w9WgXcQ"}, True),
        ({"type": "embed", "url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"}, True),
        ({"type": "file", "url": "/media/a.pdf", "name": ""}, False),
        ({"type": "related", "article": "a-1"}, True),
        ({"type": "related", "url": "/cho-phien-12.html"}, True),
        ({"type": "related", "url": "https://haihau.example/cho-phien-12.html"}, False),
        ({"type": "related", "url": "/tin-tuc/"}, False),
        ({"type": "related", "article": "a b"}, False),
        ({"type": "related"}, False),
        ({"type": "figure", "caption": "x", "image": None}, True),
        ({"type": "figure", "colour": "red"}, False),
        ({"type": "script", "html": "x"}, False),
        ({"html": "x"}, False),
    ],
)
def test_block_is_checked_by_its_type(block: dict[str, Any], valid: bool) -> None:
    """Each type of block has its own required fields and limits; unknown types and fields are errors."""
    assert accepted(BlockIn, block) is valid
