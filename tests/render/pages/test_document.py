"""A document's codings and entity tags."""

import gzip

import brotli
import pytest

from services.render.pages.document import COMPRESSED_FROM_BYTES, Document

TEXT = "Chợ Cồn mở lại. ".encode() * 100


@pytest.mark.parametrize(
    ("size", "codings"), [(COMPRESSED_FROM_BYTES - 1, ()), (COMPRESSED_FROM_BYTES, ("br", "gzip"))]
)
def test_codings_of_a_small_document_are_none(size: int, codings: tuple[str, ...]) -> None:
    """A document too small to gain anything is sent as it is."""
    assert Document(b"x" * size).codings == codings


def test_encoded_bytes_decode_to_the_body() -> None:
    """Each coding gives the same body, smaller; identity is the body itself."""
    document = Document(TEXT)
    assert document.encoded("identity") == TEXT
    assert gzip.decompress(document.encoded("gzip")) == brotli.decompress(document.encoded("br")) == TEXT
    assert len(document.encoded("br")) < len(document.encoded("gzip")) < len(TEXT)


def test_encoded_gzip_has_no_time() -> None:
    """Equal documents are equal bytes in every process: the gzip header has no time."""
    assert Document(TEXT).encoded("gzip")[4:8] == bytes(4)


def test_etag_is_strong_and_differs_by_coding_and_content() -> None:
    """Each coding of each content has an entity tag of its own, equal for equal bytes."""
    document, same, other = Document(TEXT), Document(TEXT), Document(TEXT + b"!")
    tags = {one.etag(coding) for one in (document, other) for coding in ("identity", "br", "gzip")}
    assert len(tags) == 6
    assert all(tag.startswith('"') and tag.endswith('"') and "-gzip" not in tag for tag in tags)
    assert document.etag("br") == same.etag("br")
