"""New crops: of an image whose focus point has changed, of images of before crops were made, and in the articles.

Crops have names of their own for each focus point, so that caches never show an old one. The former ones stay in the
media store: pages that were saved or shared, and former versions of articles, refer to them.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import obstore
from obstore.exceptions import NotFoundError

from services.ingest.articles.copies import ArticleChange, StoredArticle, unchanged
from services.ingest.articles.store import ArticleTooLargeError, database_time, read_article, save_change
from services.ingest.auth.actors import Actor
from services.ingest.auth.audit import record
from services.ingest.media.library import (
    MediaItem,
    MediaStore,
    UploadedFile,
    decode,
    focus_at,
    media_item,
    put_files,
    resolve_images,
    save_crops,
    store_unavailable,
    with_crops,
)
from services.ingest.queries import SQL
from shared.articles import MEDIA_PREFIX, Article, Figure, Focus, focus_key
from shared.http.problems import Problem
from shared.logs import log
from shared.object_store import ORIGINALS, STORE_ERRORS
from shared.postgres import Connection


async def cut_crops(pool: asyncpg.Pool, media: MediaStore, site: str, media_id: str, focus: Focus | None) -> bool:
    """Cut the crops of a stored image around a focus point, unless they exist; return whether they did not.

    Raises:
        Problem: 404 if the original is not in the media store, 503 if the store or the decoder is unavailable.
    """
    if await pool.fetchval(SQL["has_crops"], site, media_id, focus_key(focus)):
        return False
    with tempfile.TemporaryDirectory(prefix="presstally-media-") as folder:
        file = Path(folder) / "original"
        original = await _fetch_original(media, media_id, file)
        rendition_set = await decode(media, original, focus, only_crops=True)
        await put_files(media.store, file.parent, rendition_set.crops)
    async with pool.acquire() as connection:
        await save_crops(connection, site, media_id, focus, rendition_set.crops)
    return True


async def _fetch_original(media: MediaStore, media_id: str, file: Path) -> UploadedFile:
    digest, size = hashlib.sha256(), 0
    try:
        result = await obstore.get_async(media.store, ORIGINALS + media_id)
        with file.open("wb") as output:
            async for chunk in result.stream():
                digest.update(chunk)
                size += len(chunk)
                output.write(chunk)
    except (FileNotFoundError, NotFoundError) as error:
        raise Problem(404, "The original is no longer in the media store.") from error
    except STORE_ERRORS as error:
        raise store_unavailable(error) from error
    return UploadedFile(file, digest.hexdigest(), media_id, size)


async def prepare_crops(pool: asyncpg.Pool, media: MediaStore, site: str, fields: Mapping[str, Any]) -> None:
    """Cut the crops that an article needs which is about to be saved, where they are missing.

    That is so for an image of before crops were made, and for a focus point of the article's own. Without them the
    article is saved nevertheless, and lists show the whole image.

    Args:
        pool: With the role of the service.
        media: The media store.
        site: The slug of the article's site.
        fields: The fields of the article that change.
    """
    figures = [fields.get("lead_image"), *fields.get("body", [])]
    images = (one.image for one in figures if isinstance(one, Figure) and one.image is not None)
    image = next((one for one in images if one.media or one.url.startswith(MEDIA_PREFIX)), None)
    if image is None:
        return
    names = [] if image.media else [image.url.removeprefix(MEDIA_PREFIX)]
    row = await pool.fetchrow(SQL["find_media"], [image.media] if image.media else [], names, site)
    if row is None:
        return
    item = media_item(row)
    try:
        await cut_crops(pool, media, site, item.id, image.focus or item.image.focus)
    except Problem as problem:
        log.warning("cannot cut the crops of an image", media=item.id, reason=problem.detail)


async def set_focus(
    pool: asyncpg.Pool, media: MediaStore, item: MediaItem, focus: Focus | None, actor: Actor, *, may_publish: bool
) -> MediaItem:
    """Set the focus point of an image, cut its crops around it, and give them to the articles that show the image.

    An article with a focus point of its own keeps it, and one that is live, scheduled or approved keeps its crops
    unless `may_publish`.

    Raises:
        Problem: as `cut_crops`. Nothing has changed then.
    """
    await cut_crops(pool, media, item.site, item.id, focus)
    values = (focus.x, focus.y) if focus else (None, None)
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["set_focus"], item.site, item.id, *values)
        assert row is not None, "media are never deleted"
        point = None if focus is None else {"x": focus.x, "y": focus.y}
        await record(connection, actor, "focus", kind="image", id=item.id, site=item.site, details={"focus": point})
    await update_articles(pool, _at(item, focus_at(row["former_x"], row["former_y"])), actor, may_publish=may_publish)
    return (await with_crops(pool, [_at(item, focus)]))[0]


def _at(item: MediaItem, focus: Focus | None) -> MediaItem:
    return msgspec.structs.replace(item, image=msgspec.structs.replace(item.image, focus=focus))


async def update_articles(pool: asyncpg.Pool, item: MediaItem, actor: Actor, *, may_publish: bool = True) -> int:
    """Give the articles that show an image its present crops; return how many have changed.

    Of several changes of the focus point at once, whichever comes to an article last, it gets the present one.

    Args:
        pool: With the role of the service.
        item: The image, with its former focus point.
        actor: Who has changed it.
        may_publish: Whether live, scheduled and approved articles change too.
    """
    count = 0
    for row in await pool.fetch(SQL["articles_with_media"], item.site, item.id):
        async with pool.acquire() as connection, connection.transaction():
            stored = await read_article(connection, row["id"], for_update=True)
            if stored is None:  # discarded meanwhile
                continue
            if may_publish or not _is_approved(stored):
                present = await connection.fetchrow(SQL["focus_for_share"], item.site, item.id)
                assert present is not None, "media are never deleted"
                focus = focus_at(present["focus_x"], present["focus_y"])
                try:
                    async with connection.transaction():
                        count += await _update_article(connection, stored, item, focus, actor)
                except ArticleTooLargeError as error:  # it keeps its crops, and the other articles get theirs
                    log.warning("an article is too large for more crops", article=row["id"], reason=str(error))
    return count


def _is_approved(stored: StoredArticle) -> bool:
    """Return whether a publisher has approved a copy of it: a writer's focus point does not move its crops."""
    is_live = stored.live is not None and stored.live.state == "published"
    return is_live or stored.scheduled is not None or stored.head.state in ("approved", "scheduled")


async def _update_article(
    connection: Connection, stored: StoredArticle, item: MediaItem, focus: Focus | None, actor: Actor
) -> bool:
    if stored.head.state == "killed":
        return False
    head = await _with_focus(connection, stored.head, item, focus)
    live = stored.live
    if live is not None and live.state == "published":
        live = await _with_focus(connection, live, item, focus)
    scheduled = stored.scheduled
    if scheduled is not None:
        scheduled = await _with_focus(connection, scheduled, item, focus)
    if (head, live, scheduled) == (stored.head, stored.live, stored.scheduled):
        return False
    change = _change(stored, head, live, scheduled)
    change = replace(change, head=msgspec.structs.replace(change.head, modified_at=await database_time(connection)))
    await save_change(connection, stored, change, actor, "the focus point of an image")
    return True


def _change(stored: StoredArticle, head: Article, live: Article | None, scheduled: Article | None) -> ArticleChange:
    """Return the change of all copies. `modified_at` of the live one stays: visitors read the same text."""
    version = stored.head.version + 1
    is_changed = {
        "working": head != stored.head,
        "live": live != stored.live,
        "scheduled": scheduled != stored.scheduled,
    }
    if live is not None and is_changed["live"]:
        live = msgspec.structs.replace(live, version=version)
    if scheduled is not None and is_changed["scheduled"]:
        scheduled = msgspec.structs.replace(scheduled, version=version)
    copies = tuple(copy for copy, changed in is_changed.items() if changed)
    only = {"live": live, "scheduled": scheduled}
    return replace(
        unchanged("crop", stored),
        head=msgspec.structs.replace(head, version=version),
        live=live,
        scheduled=scheduled,
        is_public_change=is_changed["live"],
        copies=copies,
        changed=None if "working" in copies else only[copies[0]],
    )


async def _with_focus(connection: Connection, article: Article, item: MediaItem, focus: Focus | None) -> Article:
    """Return a version of an article in which an image has its present focus point, and its crops."""

    def moved(block: object) -> object:
        if not isinstance(block, Figure) or block.image is None or block.image.media != item.id:
            return block
        if block.image.focus not in (None, item.image.focus):
            return block
        return msgspec.structs.replace(block, image=msgspec.structs.replace(block.image, focus=focus))

    body, lead_image = [moved(block) for block in article.body], moved(article.lead_image)
    return await resolve_images(connection, msgspec.structs.replace(article, body=body, lead_image=lead_image))
