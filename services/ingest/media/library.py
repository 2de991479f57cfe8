"""Uploads → the media store and the table `media`; and the images of an article as the store has them."""

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
from services.ingest.content.errors import ContentError, Fault
from services.ingest.media.renditions import Copy, Made, Refused
from services.ingest.metrics import MEDIA_SECONDS, MEDIA_UPLOADS
from services.ingest.queries import SQL
from shared.articles import MEDIA_PREFIX, Article, Figure, Focus, Image, Rendition
from shared.http.problems import Problem
from shared.logs import log
from shared.object_store import ORIGINALS, PUBLIC, STORE_ERRORS
from shared.postgres import Connection

UPLOAD_BYTES_MAX = 20 * 1024 * 1024
DECODERS_MAX = 2
"""Processes that decode at once; each has a bound on memory of its own. Others wait."""
DECODE_SECONDS_MAX = 120.0
ROOT = Path(__file__).parent.parents[2]


@dataclass(frozen=True)
class Upload:
    """A file that has come in whole."""

    file: Path
    id: str
    name: str
    bytes: int


class Medium(msgspec.Struct, frozen=True, kw_only=True):
    """An image of the media store. `image` goes into an article as it is; only `alt` is missing."""

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
    """The store, and the bound on decoders."""

    store: ObjectStore
    decoders: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECODERS_MAX))


@asynccontextmanager
async def received(chunks: AsyncIterator[bytes], name: str) -> AsyncIterator[Upload]:
    """Write what comes in to a file that goes when the block ends. The chunks have their own bound."""
    with tempfile.TemporaryDirectory(prefix="presstally-media-") as folder:
        file = Path(folder) / "original"
        digest, size = hashlib.sha256(), 0
        with file.open("wb") as output:
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                output.write(chunk)
        yield Upload(file, digest.hexdigest(), name, size)


async def save(
    pool: asyncpg.Pool, media: MediaStore, upload: Upload, focus: Focus | None, actor: Actor
) -> tuple[Medium, bool]:
    """Store an image and its copies; tell whether it is new. The row comes last, so that it never promises too much.

    Raises:
        Problem: 415 or 422, it is no image that is taken; 503, the store or the decoder does not answer.
    """
    if not upload.bytes:
        raise Problem(422, "The file is empty.")
    row = await pool.fetchrow(SQL["medium"], upload.id)
    if row is not None:
        MEDIA_UPLOADS.labels("known").inc()
        return medium_of(row), False
    try:
        with MEDIA_SECONDS.time():
            made = await _decode(media, upload)
        await _store(media.store, upload, made)
    except Problem as problem:
        MEDIA_UPLOADS.labels("failed" if problem.status >= 500 else "refused").inc()
        raise
    place = (focus.x, focus.y) if focus else (None, None)
    row_values = (upload.id, made.type, upload.name, upload.bytes, made.width, made.height)
    copies = msgspec.json.encode(made.copies).decode()
    names = [copy.name for copy in made.copies]
    await pool.execute(SQL["insert_medium"], *row_values, copies, names, *place, actor.name, actor.token)
    MEDIA_UPLOADS.labels("stored").inc()
    row = await pool.fetchrow(SQL["medium"], upload.id)
    assert row is not None, "media are never deleted"
    return medium_of(row), True


async def _decode(media: MediaStore, upload: Upload) -> Made:
    command = [sys.executable, "-m", "services.ingest.media.renditions", str(upload.file), str(upload.file.parent)]
    async with media.decoders:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(DECODE_SECONDS_MAX):
                printed, complaint = await process.communicate()
        except TimeoutError as error:
            raise Problem(
                503, "The image takes too long just now. Try again.", headers={"retry-after": "30"}
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:  # a decoder that died of its bounds, or of the file
        reason = complaint[-500:].decode(errors="replace")
        log.warning("A decoder died", code=process.returncode, medium=upload.id, reason=reason)
        raise Problem(422, "The file cannot be decoded within the bounds of memory and time that an image has.")
    answer = msgspec.json.decode(printed, type=dict)
    if "fault" in answer:
        refused = msgspec.convert(answer, Refused)
        sizes: dict[str, Any] = {} if refused.limit is None else {"limit": refused.limit, "size": refused.size}
        raise Problem(refused.status, f"The file {refused.fault}.", **sizes)
    return msgspec.convert(answer, Made)


async def _store(store: ObjectStore, upload: Upload, made: Made) -> None:
    try:
        for copy in made.copies:
            await obstore.put_async(store, PUBLIC + copy.name, upload.file.parent / copy.name)
        await obstore.put_async(store, ORIGINALS + upload.id, upload.file)
    except STORE_ERRORS as error:
        log.warning("The media store does not take an image", reason=repr(error)[:500])
        detail = "The media store does not answer now. Try again soon."
        raise Problem(503, detail, headers={"retry-after": "5"}) from error


def medium_of(row: asyncpg.Record) -> Medium:
    """Return the medium of a row."""
    copies = msgspec.json.decode(row["copies"], type=list[Copy])
    offered = [Rendition(MEDIA_PREFIX + one.name, one.width, one.height, one.type) for one in copies]
    widest, *others = offered
    focus = None if row["focus_x"] is None else Focus(row["focus_x"], row["focus_y"])
    return Medium(
        id=row["id"],
        type=row["type"],
        file_name=row["file_name"],
        bytes=row["bytes"],
        width=row["width"],
        height=row["height"],
        image=Image(widest.url, "", widest.width, widest.height, row["id"], others, focus, copies[0].bytes),
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


async def with_media(connection: Connection, article: Article, *, strict: bool = False) -> Article:
    """Return the article with address, size and copies of its images as the store has them.

    An image is known by its `media`, or by its address below /media/. What the article says of its focus stays.

    Args:
        connection: Of Postgres.
        article: As it was sent, or as it is stored.
        strict: Before publication: every image that stands on the portal itself must be in the store.

    Raises:
        ContentError: an image names a medium that is not there.
    """
    figures = list(_figures(article))
    images = [figure.image for _, figure in figures if figure.image is not None]
    ids = [image.media for image in images if image.media]
    names = [_name(image.url) for image in images if image.url.startswith(MEDIA_PREFIX)]
    known: dict[str, Medium] = {}
    if ids or names:
        for row in await connection.fetch(SQL["media_of"], ids, names):
            medium = medium_of(row)
            known |= dict.fromkeys([medium.id, *row["names"]], medium)
    faults, changed = [], {}
    for place, figure in figures:
        image = figure.image
        if image is None:
            continue
        found = known.get(image.media) if image.media else known.get(_name(image.url))
        if found is not None:
            changed[place] = _as_stored(figure, image, found)
        elif image.media:
            faults.append(Fault(f"{place}.image.media", "is not in the media store; upload it first"))
        elif strict and image.url.startswith("/"):
            fault = f"{image.url[:100]} is not in the media store; upload it to /api/media first"
            faults.append(Fault(f"{place}.image.url", fault))
    if faults:
        raise ContentError(faults)
    body = [changed.get(f"body.{number}", block) for number, block in enumerate(article.body)]
    lead_image = changed.get("lead_image", article.lead_image)
    return msgspec.structs.replace(article, body=body, lead_image=lead_image)


def _as_stored(figure: Figure, image: Image, medium: Medium) -> Figure:
    focus = image.focus or medium.image.focus
    return msgspec.structs.replace(figure, image=msgspec.structs.replace(medium.image, alt=image.alt, focus=focus))
