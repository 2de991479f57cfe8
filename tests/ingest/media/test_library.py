"""The media library: uploads, renditions in the store, and images of articles."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
from PIL import Image as Picture

from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from services.ingest.media.library import MediaItem, MediaStore, receive_upload, resolve_images, store_image
from shared.articles import Article, Figure, Focus, Image
from shared.http.problems import Problem
from shared.object_store import open_store

ACTOR = Actor("An", "12345678")
NewArticle = Callable[..., Article]


def picture(color: str = "red") -> bytes:
    output = io.BytesIO()
    Picture.new("RGB", (40, 20), color).save(output, "PNG")
    return output.getvalue()


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100):
        yield content[start : start + 100]


@pytest.fixture
def media(tmp_path: Path) -> MediaStore:
    return MediaStore(open_store(str(tmp_path / "media")))


async def upload(
    pool: asyncpg.Pool, media: MediaStore, content: bytes, focus: Focus | None = None
) -> tuple[MediaItem, bool]:
    async with receive_upload(chunks(content), "a.png") as file:
        assert (file.bytes, file.file.read_bytes()) == (len(content), content)
        stored = await store_image(pool, media, "haihau", file, focus, ACTOR)
    assert not file.file.exists()
    return stored


async def test_store_image_writes_renditions_original_and_row(
    pool: asyncpg.Pool, media: MediaStore, tmp_path: Path
) -> None:
    """A new image has its original, a rendition per format and a row; a second upload writes nothing."""
    item, is_new = await upload(pool, media, picture(), Focus(0.2, 0.8))
    assert (is_new, item.type, item.width, item.height, item.who) == (True, "image/png", 40, 20, "An")
    assert (item.image.url.endswith(".jpg"), item.image.focus) == (True, Focus(0.2, 0.8))
    assert {one.type for one in item.image.renditions} == {"image/webp", "image/avif"}
    public = {file.name for file in (tmp_path / "media/public").iterdir()}
    offered = [
        item.image,
        *item.image.renditions,
        *item.crops,
        *(one for crop in item.crops for one in crop.renditions),
    ]
    assert public == {one.url.rsplit("/")[-1] for one in offered}
    assert (tmp_path / "media/originals" / item.id).read_bytes() == picture()
    assert await upload(pool, media, picture()) == (item, False)


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [(b"", 422, "The file is empty."), (b"<html>", 415, "The file is HTML"), (picture()[:40], 422, "damaged")],
)
async def test_store_image_rejected_file_leaves_nothing(  # noqa: PLR0917
    pool: asyncpg.Pool, media: MediaStore, tmp_path: Path, content: bytes, status: int, message: str
) -> None:
    """A rejected file has its reason, and leaves neither a file nor a row."""
    with pytest.raises(Problem) as raised:
        await upload(pool, media, content)
    assert (raised.value.status, message in raised.value.detail) == (status, True), raised.value.detail
    assert await pool.fetchval("SELECT count(*) FROM ingest.media") == 0
    assert [file for file in (tmp_path / "media").rglob("*") if file.is_file()] == []


async def test_store_image_unavailable_store_is_503(pool: asyncpg.Pool, media: MediaStore, tmp_path: Path) -> None:
    """Without its store an upload is a 503 to be repeated, and leaves no row."""
    (tmp_path / "media").rmdir()
    (tmp_path / "media").write_text("no folder")
    with pytest.raises(Problem) as raised:
        await upload(pool, media, picture())
    assert (raised.value.status, raised.value.headers) == (503, {"retry-after": "5"})
    assert await pool.fetchval("SELECT count(*) FROM ingest.media") == 0


async def test_resolve_images_by_id_or_url_fills_in_renditions(
    pool: asyncpg.Pool, media: MediaStore, new_article: NewArticle
) -> None:
    """An image is found by ID or by the URL of any rendition; its alt text and its own focus point stay."""
    item, _ = await upload(pool, media, picture(), Focus(0.5, 0.5))
    by_url = Figure("c", Image(item.image.renditions[-1].url, "b", focus=Focus(0, 1)))
    external = Figure("c", Image("https://a.vn/a.jpg", "x"))
    article = new_article(lead_image=Figure("c", Image("", "a", media=item.id)), body=[by_url, Figure("c"), external])
    async with pool.acquire() as connection:
        found = await resolve_images(connection, article, strict=True)
    assert found.lead_image is not None
    assert found.lead_image.image == Image(**{**_fields(item.image), "alt": "a", "crops": item.crops})
    first, *others = found.body
    assert isinstance(first, Figure)
    assert first.image == Image(**{**_fields(item.image), "alt": "b", "focus": Focus(0, 1)})
    assert others == article.body[1:]


def _fields(image: Image) -> dict[str, object]:
    return {name: getattr(image, name) for name in image.__struct_fields__}


async def test_resolve_images_missing_image_is_an_error_of_its_field(
    pool: asyncpg.Pool, new_article: NewArticle
) -> None:
    """An unknown ID is always an error; an unknown URL of the portal only before publication."""
    by_id = Figure("c", Image("", "a", media="0" * 64))
    by_url = Figure("c", Image("/media/a.jpg", "a"))
    async with pool.acquire() as connection:
        with pytest.raises(InvalidContentError) as raised:
            await resolve_images(connection, new_article(lead_image=by_id, body=[by_url]))
        assert [error.field for error in raised.value.errors] == ["lead_image.image.media"]
        article = new_article(body=[by_url])
        assert await resolve_images(connection, article) == article
        with pytest.raises(InvalidContentError) as raised:
            await resolve_images(connection, article, strict=True)
        assert [error.field for error in raised.value.errors] == ["body.0.image.url"]
