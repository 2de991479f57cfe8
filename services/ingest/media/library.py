"""The media library: stores uploads in the media store and the table `media`, and resolves an article's images."""

import asyncio
import hashlib
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
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
from services.ingest.auth.audit import record
from services.ingest.content.errors import InvalidContentError, field_error
from services.ingest.media.image_types import RejectedImage, RenditionFile, RenditionSet
from services.ingest.metrics import MEDIA_SECONDS, MEDIA_UPLOADS
from services.ingest.queries import SQL
from shared.articles import CROP_RATIOS, MEDIA_PREFIX, Article, Crop, Figure, Focus, Image, Rendition, focus_key
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
    """An image of a site. `image` can be used in the site's articles as it is."""

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
    alt: str = ""
    """What it shows; `image` has it too. Articles that use the image from now on begin with it."""
    caption: str = ""
    credit: str = ""
    crops: list[Crop] = []
    """Around its focus point, or around its centre; empty for an image of before crops were made."""


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
        raise Problem(422, "The file is empty.", code="empty_file")
    if (known := await stored_item(pool, uploaded.id, [site])) is not None:
        MEDIA_UPLOADS.labels("known").inc()
        return known, False
    try:
        with MEDIA_SECONDS.time():
            rendition_set = await decode(media, uploaded, focus)
        await put_files(media.store, uploaded.file.parent, [*rendition_set.renditions, *rendition_set.crops])
        await put_file(media.store, ORIGINALS + uploaded.id, uploaded.file)
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
    async with pool.acquire() as connection, connection.transaction():
        row_end = (*focus_values, actor.name, actor.id, site)
        await connection.execute(SQL["insert_media_item"], *row_values, renditions, rendition_names, *row_end)
        await save_crops(connection, site, uploaded.id, focus, rendition_set.crops)
    MEDIA_UPLOADS.labels("stored").inc()
    found = await stored_item(pool, uploaded.id, [site])
    assert found is not None, "media are never deleted"
    return found, True


async def stored_item(pool: asyncpg.Pool, media_id: str, sites: Sequence[str] | None) -> MediaItem | None:
    """Return an image on the first of some sites that has it, on any if None; None if none of them has it."""
    row = await pool.fetchrow(SQL["media_items"], media_id, sites)
    return None if row is None else (await with_crops(pool, [media_item(row)]))[0]


async def with_crops(pool: asyncpg.Pool, items: Sequence[MediaItem]) -> list[MediaItem]:
    """Return images with the crops around their focus points."""
    keys = [(item.site, item.id, focus_key(item.image.focus)) for item in items]
    columns = [list(column) for column in zip(*keys, strict=True)] if keys else [[], [], []]
    rows = await pool.fetch(SQL["find_crops"], *columns)
    found = {(row["site"], row["media"], row["focus"]): crops_of(row["crops"]) for row in rows}
    return [msgspec.structs.replace(item, crops=found.get(key, [])) for item, key in zip(items, keys, strict=True)]


async def save_crops(
    connection: Connection, site: str, media_id: str, focus: Focus | None, crops: Sequence[RenditionFile]
) -> None:
    """Record the crops of an image around a focus point, after their files were stored."""
    content = msgspec.json.encode(crops).decode()
    await connection.execute(SQL["insert_crops"], site, media_id, focus_key(focus), content)


def crops_of(content: str) -> list[Crop]:
    """Return the crops of a row of the table `media_crops`."""
    files = msgspec.json.decode(content, type=list[RenditionFile])
    crops = []
    for ratio in CROP_RATIOS:
        offered = [
            Rendition(MEDIA_PREFIX + one.name, one.width, one.height, one.type) for one in files if one.ratio == ratio
        ]
        if offered:
            widest, *others = offered
            crops.append(Crop(ratio, widest.url, widest.width, widest.height, others))
    return crops


async def decode(
    media: MediaStore, uploaded: UploadedFile, focus: Focus | None, *, only_crops: bool = False
) -> RenditionSet:
    """Write the renditions and crops of an image beside it, in a process of its own.

    Raises:
        Problem: 415 or 422 for a rejected file; 503 if the decoder is busy.
    """
    point = focus or Focus()
    arguments = [str(uploaded.file), str(uploaded.file.parent), str(point.x), str(point.y)]
    if only_crops:
        arguments.append("only_crops")
    result = await run_decoder(media, "services.ingest.media.renditions", arguments, uploaded.id)
    if "error" in result:
        rejected = msgspec.convert(result, RejectedImage)
        sizes: dict[str, Any] = {} if rejected.limit is None else {"limit": rejected.limit, "size": rejected.size}
        code = {413: "too_large", 415: "unsupported_type"}.get(rejected.status, "image_refused")
        raise Problem(rejected.status, f"The file {rejected.error}.", reason=rejected.reason, **sizes, code=code)
    return msgspec.convert(result, RenditionSet)


async def run_decoder(media: MediaStore, module: str, arguments: Sequence[str], name: str) -> dict[str, Any]:
    """Run a module that reads an untrusted file, in a process with limits of its own; return the JSON that it prints.

    Args:
        media: The limit on such processes.
        module: The module.
        arguments: Its arguments.
        name: Of the file, for the log.

    Raises:
        Problem: 503 if its turn or its end does not come in time, 422 if it was ended by its limits.
    """
    async with media.decoders.admit():
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(DECODE_SECONDS_MAX):
                output, errors = await process.communicate()
        except TimeoutError as error:
            raise Problem(
                503, "Decoding timed out; retry later.", headers={"retry-after": "30"}, code="busy"
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode != 0:  # killed by its resource limits, or crashed on the file
        reason = errors[-500:].decode(errors="replace")
        log.warning("decoder crashed", module=module, code=process.returncode, file=name, reason=reason)
        raise Problem(422, "The file cannot be decoded within the limits on memory and time.", code="undecodable_file")
    result: dict[str, Any] = msgspec.json.decode(output, type=dict)
    return result


async def put_files(store: ObjectStore, folder: Path, files: Iterable[RenditionFile]) -> None:
    """Store the renditions and crops of a folder.

    Raises:
        Problem: 503 if the media store is unavailable.
    """
    for one in files:
        await put_file(store, PUBLIC + one.name, folder / one.name)


async def put_file(store: ObjectStore, name: str, file: Path) -> None:
    """Store a file.

    Raises:
        Problem: 503 if the media store is unavailable.
    """
    try:
        await obstore.put_async(store, name, file)
    except STORE_ERRORS as error:
        raise store_unavailable(error) from error


def store_unavailable(error: Exception) -> Problem:
    """Return the problem of a media store that does not respond, and log why."""
    log.warning("media store unavailable", reason=repr(error)[:500])
    return Problem(
        503,
        "The media store is unavailable; retry later.",
        headers={"retry-after": "5"},
        code="media_store_unavailable",
    )


def focus_at(x: float | None, y: float | None) -> Focus | None:
    """Return the focus point of two columns, None without one."""
    return None if x is None or y is None else Focus(x, y)


def media_item(row: asyncpg.Record) -> MediaItem:
    """Return the image of a row of the table `media`."""
    renditions = msgspec.json.decode(row["renditions"], type=list[RenditionFile])
    offered = [Rendition(MEDIA_PREFIX + one.name, one.width, one.height, one.type) for one in renditions]
    widest, *others = offered
    focus = focus_at(row["focus_x"], row["focus_y"])
    return MediaItem(
        site=row["site"],
        id=row["id"],
        type=row["type"],
        file_name=row["file_name"],
        bytes=row["bytes"],
        width=row["width"],
        height=row["height"],
        image=Image(widest.url, row["alt"], widest.width, widest.height, row["id"], others, focus, renditions[0].bytes),
        who=row["who"],
        created_at=row["created_at"],
        alt=row["alt"],
        caption=row["caption"],
        credit=row["credit"],
    )


async def describe_image(pool: asyncpg.Pool, item: MediaItem, texts: Mapping[str, str], actor: Actor) -> MediaItem:
    """Change what an image shows, its caption or its credit, for articles that use it from now on.

    Args:
        pool: With the role of the service.
        item: The image.
        texts: New texts, by the names `alt`, `caption` and `credit`.
        actor: Who changes them.
    """
    async with pool.acquire() as connection, connection.transaction():
        values = [texts.get(name) for name in ("alt", "caption", "credit")]
        row = await connection.fetchrow(SQL["describe_media"], item.site, item.id, *values)
        assert row is not None, "media are never deleted"
        await record(connection, actor, "edit", kind="image", id=item.id, site=item.site, details=texts)
    return (await with_crops(pool, [media_item(row)]))[0]


def _figures(article: Article) -> Iterator[tuple[str, Figure]]:
    if article.lead_image is not None:
        yield "lead_image", article.lead_image
    for number, block in enumerate(article.body):
        if isinstance(block, Figure):
            yield f"body.{number}", block


def _name(url: str) -> str:
    return url.removeprefix(MEDIA_PREFIX)


async def resolve_images(connection: Connection, article: Article, *, strict: bool = False) -> Article:
    """Return the article with its images as its site has them: URL, size and renditions.

    Images are identified by `media`, or by a URL below /media/. A focus point in the article is kept. The first image
    stands for the article in lists and on other sites: it gets the crops that exist around its focus point.

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
            errors.append(field_error(f"{path}.image.media", "image_not_stored"))
        elif strict and image.url.startswith("/"):
            errors.append(field_error(f"{path}.image.url", "image_url_not_stored", url=image.url[:100]))
    if errors:
        raise InvalidContentError(errors)
    shown = next((path for path, figure in figures if _is_hosted(changed.get(path, figure))), None)
    if shown in changed:
        changed[shown] = await _with_crops(connection, article.site, changed[shown])
    body = [changed.get(f"body.{number}", block) for number, block in enumerate(article.body)]
    lead_image = changed.get("lead_image", article.lead_image)
    return msgspec.structs.replace(article, body=body, lead_image=lead_image)


def _is_hosted(figure: Figure) -> bool:
    return figure.image is not None and figure.image.url.startswith(MEDIA_PREFIX)


async def _with_crops(connection: Connection, site: str, figure: Figure) -> Figure:
    """Return the figure that stands for its article, with the crops of its image around the focus point there."""
    image = figure.image
    assert image is not None
    row = await connection.fetchrow(SQL["find_crops"], [site], [image.media], [focus_key(image.focus)])
    crops = [] if row is None else crops_of(row["crops"])
    return msgspec.structs.replace(figure, image=msgspec.structs.replace(image, crops=crops))


def _as_stored(figure: Figure, image: Image, item: MediaItem) -> Figure:
    focus = image.focus or item.image.focus
    return msgspec.structs.replace(figure, image=msgspec.structs.replace(item.image, alt=image.alt, focus=focus))
