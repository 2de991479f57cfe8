"""The media library: stores uploads in the media store and the table `media`, and resolves an article's images."""

import asyncio
import hashlib
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import obstore
from obstore.store import ObjectStore

from services.ingest.auth.actors import Actor
from services.ingest.content.errors import FieldError, InvalidContentError
from services.ingest.media.renditions import RejectedImage, RenditionFile, RenditionSet
from services.ingest.metrics import MEDIA_SECONDS, MEDIA_UPLOADS
from services.ingest.queries import SQL
from shared.articles import MEDIA_PREFIX, Article, Figure, Focus, Image, Rendition
from shared.http.fair_limit import FairLimit
from shared.http.problems import Problem
from shared.logs import log
from shared.object_store import ORIGINALS, PUBLIC, STORE_ERRORS
from shared.postgres import Connection

UPLOAD_BYTES_MAX = 20 * 1024 * 1024
DECODERS_MAX = 2
"""Limit of concurrent decoder processes, each with its own memory limit; others wait, and the callers take turns."""
DECODER_WAIT_SECONDS_MAX = 60.0
DECODE_SECONDS_MAX = 120.0
ROOT = Path(__file__).parent.parents[2]


@dataclass(frozen=True)
class UploadedFile:
    """A completely received file."""

    file: Path
    id: str
    name: str
    bytes: int


class MediaItem(msgspec.Struct, frozen=True, kw_only=True):
    """An image of a site. `image` can be used in the site's articles as it is, except for the missing `alt`."""

    site: str
    """"": it was uploaded before images had sites; only tokens without a list of sites see it."""
    id: str
    type: str
    file_name: str
    bytes: int
    width: int
    height: int
    image: Image
    who: str
    created_at: datetime


@dataclass
class MediaStore:
    """The object store, and the limit on decoders."""

    store: ObjectStore
    decoders: FairLimit = field(
        default_factory=lambda: FairLimit("images", running_max=DECODERS_MAX, wait_seconds_max=DECODER_WAIT_SECONDS_MAX)
    )


@asynccontextmanager
async def receive_upload(chunks: AsyncIterator[bytes], name: str) -> AsyncIterator[UploadedFile]:
    """Write an upload to a temporary file, deleted when the context ends. The caller limits the size of `chunks`."""
    with tempfile.TemporaryDirectory(prefix="presstally-media-") as folder:
        file = Path(folder) / "original"
        digest, size = hashlib.sha256(), 0
        with file.open("wb") as output:
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                output.write(chunk)
        yield UploadedFile(file, digest.hexdigest(), name, size)


async def store_image(  # noqa: PLR0917 - what an upload has
    pool: asyncpg.Pool, media: MediaStore, site: str, uploaded: UploadedFile, focus: Focus | None, actor: Actor
) -> tuple[MediaItem, bool]:
    """Store an image of a site with its renditions; return it, and whether it is new there.

    The row is written after the files. A file that another site has is decoded again: nothing shows that it is known.

    Raises:
        Problem: 415 or 422 for a rejected file; 503 if the media store or the decoder is unavailable.
    """
    if not uploaded.bytes:
        raise Problem(422, "The file is empty.")
    row = await pool.fetchrow(SQL["media_items"], uploaded.id, [site])
    if row is not None:
        MEDIA_UPLOADS.labels("known").inc()
        return media_item(row), False
    try:
        with MEDIA_SECONDS.time():
            rendition_set = await _decode(media, uploaded)
        await _store(media.store, uploaded, rendition_set)
    except Problem as problem:
        MEDIA_UPLOADS.labels("failed" if problem.status >= 500 else "refused").inc()
        raise
    focus_values = (focus.x, focus.y) if focus else (None, None)
    row_values = (
        uploaded.id,
        rendition_set.type,
        uploaded.name,
        uploaded.bytes,
        rendition_set.width,
        rendition_set.height,
    )
    renditions = msgspec.json.encode(rendition_set.renditions).decode()
    rendition_names = [one.name for one in rendition_set.renditions]
    await pool.execute(
        SQL["insert_media_item"], *row_values, renditions, rendition_names, *focus_values, actor.name, actor.id, site
    )
    MEDIA_UPLOADS.labels("stored").inc()
    row = await pool.fetchrow(SQL["media_items"], uploaded.id, [site])
    assert row is not None, "media are never deleted"
    return media_item(row), True


async def _decode(media: MediaStore, uploaded: UploadedFile) -> RenditionSet:
    command = [sys.executable, "-m", "services.ingest.media.renditions", str(uploaded.file), str(uploaded.file.parent)]
    async with media.decoders.admit():
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(DECODE_SECONDS_MAX):
                output, errors = await process.communicate()
        except TimeoutError as error:
            raise Problem(503, "Decoding timed out; retry later.", headers={"retry-after": "30"}) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:  # killed by its resource limits, or crashed on the file
        reason = errors[-500:].decode(errors="replace")
        log.warning("image decoder crashed", code=process.returncode, media=uploaded.id, reason=reason)
        raise Problem(422, "The file cannot be decoded within the memory and time limits for images.")
    result = msgspec.json.decode(output, type=dict)
    if "error" in result:
        rejected = msgspec.convert(result, RejectedImage)
        sizes: dict[str, Any] = {} if rejected.limit is None else {"limit": rejected.limit, "size": rejected.size}
        raise Problem(rejected.status, f"The file {rejected.error}.", **sizes)
    return msgspec.convert(result, RenditionSet)


async def _store(store: ObjectStore, uploaded: UploadedFile, rendition_set: RenditionSet) -> None:
    try:
        for rendition in rendition_set.renditions:
            await obstore.put_async(store, PUBLIC + rendition.name, uploaded.file.parent / rendition.name)
        await obstore.put_async(store, ORIGINALS + uploaded.id, uploaded.file)
    except STORE_ERRORS as error:
        log.warning("cannot store an image: media store unavailable", reason=repr(error)[:500])
        detail = "The media store is unavailable; retry later."
        raise Problem(503, detail, headers={"retry-after": "5"}) from error


def media_item(row: asyncpg.Record) -> MediaItem:
    """Return the image of a row of the table `media`."""
    renditions = msgspec.json.decode(row["renditions"], type=list[RenditionFile])
    offered = [Rendition(MEDIA_PREFIX + one.name, one.width, one.height, one.type) for one in renditions]
    widest, *others = offered
    focus = None if row["focus_x"] is None else Focus(row["focus_x"], row["focus_y"])
    return MediaItem(
        site=row["site"],
        id=row["id"],
        type=row["type"],
        file_name=row["file_name"],
        bytes=row["bytes"],
        width=row["width"],
        height=row["height"],
        image=Image(widest.url, "", widest.width, widest.height, row["id"], others, focus, renditions[0].bytes),
        who=row["who"],
        created_at=row["created_at"],
    )


def _figures(article: Article) -> Iterator[tuple[str, Figure]]:
    if article.lead_image is not None:
        yield "lead_image", article.lead_image
    for number, block in enumerate(article.body):
        if isinstance(block, Figure):
            yield f"body.{number}", block


def _name(url: str) -> str:
    return url.removeprefix(MEDIA_PREFIX)


async def resolve_images(connection: Connection, article: Article, *, strict: bool = False) -> Article:
    """Return the article with URL, size and renditions of its images from the media library of its site.

    Images are identified by `media`, or by a URL below /media/. A focus point in the article is kept.

    Args:
        connection: A Postgres connection.
        article: As sent or as stored.
        strict: Whether every image with a relative URL must be in the library, as for publication.

    Raises:
        InvalidContentError: an image is not in the library of its site.
    """
    figures = list(_figures(article))
    images = [figure.image for _, figure in figures if figure.image is not None]
    ids = [image.media for image in images if image.media]
    names = [_name(image.url) for image in images if image.url.startswith(MEDIA_PREFIX)]
    known: dict[str, MediaItem] = {}
    if ids or names:
        for row in await connection.fetch(SQL["find_media"], ids, names, article.site):
            item = media_item(row)
            known |= dict.fromkeys([item.id, *row["rendition_names"]], item)
    errors, changed = [], {}
    for path, figure in figures:
        image = figure.image
        if image is None:
            continue
        found = known.get(image.media) if image.media else known.get(_name(image.url))
        if found is not None:
            changed[path] = _as_stored(figure, image, found)
        elif image.media:
            errors.append(FieldError(f"{path}.image.media", "is not in the media store of this site; upload it first"))
        elif strict and image.url.startswith("/"):
            message = f"{image.url[:100]} is not in the media store; upload it to /api/media first"
            errors.append(FieldError(f"{path}.image.url", message))
    if errors:
        raise InvalidContentError(errors)
    body = [changed.get(f"body.{number}", block) for number, block in enumerate(article.body)]
    lead_image = changed.get("lead_image", article.lead_image)
    return msgspec.structs.replace(article, body=body, lead_image=lead_image)


def _as_stored(figure: Figure, image: Image, item: MediaItem) -> Figure:
    focus = image.focus or item.image.focus
    return msgspec.structs.replace(figure, image=msgspec.structs.replace(item.image, alt=image.alt, focus=focus))
