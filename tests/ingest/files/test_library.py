"""The library of files: what is stored where, and by whom an upload can be found."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.ingest.auth.actors import Actor
from services.ingest.files.library import FileItem, store_file, stored_file
from services.ingest.media.library import MediaStore, receive_upload
from shared.http.problems import Problem
from shared.object_store import open_store
from tests.ingest.files.samples import hostile, pdf

ACTOR = Actor("An", "12345678")


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(open_store(str(tmp_path / "media")))


async def upload(
    pool: asyncpg.Pool, media: MediaStore, content: bytes, site: str = "haihau", name: str = "a.pdf"
) -> tuple[FileItem, bool]:
    async with receive_upload(chunks(content), name) as file:
        return await store_file(pool, media, site, file, ACTOR)


async def test_store_file_has_a_random_id_and_is_private(pool: asyncpg.Pool, media: MediaStore, tmp_path: Path) -> None:
    """The id has nothing to do with the content, and the bytes are not where public images are."""
    item, is_new = await upload(pool, media, pdf(), name="C:\\Nghị quyết.pdf")
    assert (is_new, item.type, item.bytes, item.who) == (True, "application/pdf", len(pdf()), "An")
    digest = hashlib.sha256(pdf()).hexdigest()
    assert item.id not in digest
    assert digest[:16] not in item.id
    assert (tmp_path / "media/files" / item.id).read_bytes() == pdf()
    assert not (tmp_path / "media/public").exists()
    assert await stored_file(pool, item.id, ["haihau"]) == item
    assert await stored_file(pool, item.id, ["giao-thuy"]) is None


async def test_store_file_same_bytes_are_one_file_of_a_site(
    pool: asyncpg.Pool, media: MediaStore, tmp_path: Path
) -> None:
    """The same bytes again, also at the same time, are the same file; on another site they are another one."""
    results = await asyncio.gather(*(upload(pool, media, pdf()) for _ in range(4)))
    assert len({item.id for item, _ in results}) == 1
    assert [is_new for _, is_new in results].count(True) == 1
    other, is_new = await upload(pool, media, pdf(), "giao-thuy")
    assert (is_new, other.id != results[0][0].id) == (True, True)
    assert len(list((tmp_path / "media/files").iterdir())) == 2


@pytest.mark.parametrize("name", ["a PDF with JavaScript", "a Word document with macros", "an encrypted .xls"])
async def test_store_file_refused_file_leaves_nothing(
    pool: asyncpg.Pool, media: MediaStore, tmp_path: Path, name: str
) -> None:
    """A refused file has its reason and leaves neither a file nor a row."""
    with pytest.raises(Problem) as raised:
        await upload(pool, media, hostile(name))
    assert raised.value.status == 422
    assert raised.value.extensions["reason"] in ("scripts", "macros", "encrypted")
    assert await pool.fetchval("SELECT count(*) FROM ingest.files") == 0
    assert [file for file in (tmp_path / "media").rglob("*") if file.is_file()] == []


async def test_store_file_unavailable_store_is_503(pool: asyncpg.Pool, media: MediaStore, tmp_path: Path) -> None:
    """Without its store an upload is a 503 to be repeated, and leaves no row."""
    (tmp_path / "media").rmdir()
    (tmp_path / "media").write_text("no folder")
    with pytest.raises(Problem) as raised:
        await upload(pool, media, pdf())
    assert raised.value.status == 503
    assert await pool.fetchval("SELECT count(*) FROM ingest.files") == 0


async def test_store_file_empty_upload_is_refused(pool: asyncpg.Pool, media: MediaStore) -> None:
    """A file without bytes is refused before anything starts."""
    with pytest.raises(Problem, match="empty"):
        await upload(pool, media, b"")


def test_file_item_fields_are_those_of_the_api() -> None:
    """What the API returns about a file has no checksum."""
    fields: Any = FileItem.__struct_fields__
    assert "checksum" not in fields
