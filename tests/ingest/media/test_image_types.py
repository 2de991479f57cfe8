"""Types of images by their first bytes."""

import pytest

from services.ingest.media.image_types import ImageError, sniff_type


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"GIF89a", "image/gif"),
        (b"\0\0\0\x1cftypavif", "image/avif"),
    ],
)
def test_supported_image_has_the_type_of_its_content(head: bytes, found: str) -> None:
    """The name of a file and what its sender says of it do not matter."""
    assert sniff_type(head) == found


def test_refused_image_has_a_stable_reason() -> None:
    """A type that is not supported has another reason than a file that is damaged."""
    with pytest.raises(ImageError, match="is HEIC") as refused:
        sniff_type(b"\0\0\0\x18ftypheic")
    assert (refused.value.status, refused.value.reason) == (415, "unsupported-type")
