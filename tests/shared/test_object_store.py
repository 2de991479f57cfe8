"""The media store by its URL."""

from pathlib import Path

import obstore
import pytest
from obstore.store import S3Store
from pydantic import TypeAdapter, ValidationError

from shared.object_store import NAME_PATTERN, STORE_ERRORS, TYPES, StoreError, StoreUrl, open_store


@pytest.mark.parametrize("prefix", ["", "file://"])
async def test_folder_is_created_and_keeps_objects(tmp_path: Path, prefix: str) -> None:
    """A plain path and a file URL are the same folder; it is created, and an object is a file in it."""
    store = open_store(f"{prefix}{tmp_path}/a/b")
    await obstore.put_async(store, "public/x.jpg", b"bytes")
    assert (tmp_path / "a/b/public/x.jpg").read_bytes() == b"bytes"
    assert (
        bytes(await (await obstore.get_async(open_store(f"{tmp_path}/a/b"), "public/x.jpg")).bytes_async()) == b"bytes"
    )


async def test_missing_object_is_file_not_found(tmp_path: Path) -> None:
    """An object that does not exist is FileNotFoundError, which is one of the store's errors."""
    with pytest.raises(FileNotFoundError) as error:
        await obstore.get_async(open_store(str(tmp_path)), "public/x.jpg")
    assert isinstance(error.value, STORE_ERRORS)


def test_bucket_is_opened_by_its_url() -> None:
    """An S3 URL opens without a connection."""
    assert isinstance(open_store("s3://bucket/prefix"), S3Store)


@pytest.mark.parametrize("url", ["/dev/null/x", "file:///dev/null/x", "s3://", "ftp://host/x"])
def test_unusable_url_is_a_store_error(url: str) -> None:
    """A URL that no store can have is one error that names it."""
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(url)


@pytest.mark.parametrize(
    ("url", "is_valid"), [("media", True), ("/a", True), ("s3://b/p", True), ("ftp://h/x", False), ("", False)]
)
def test_setting_accepts_folders_and_known_schemes(url: str, is_valid: bool) -> None:
    """The setting rejects what no store understands, before anything is opened."""
    adapter = TypeAdapter(StoreUrl)
    if is_valid:
        assert adapter.validate_python(url) == url
    else:
        with pytest.raises(ValidationError):
            adapter.validate_python(url)


def test_every_type_has_a_name_pattern() -> None:
    """Names of objects end in one of the media types' extensions."""
    assert all(extension in NAME_PATTERN for extension in TYPES)
