"""The library of files: checks and stores uploads, and knows which articles offer them."""

import contextlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
import obstore

from services.ingest.auth.actors import Actor
from services.ingest.auth.audit import record
from services.ingest.auth.callers import Caller
from services.ingest.files.recovered import find_checksums
from services.ingest.files.references import display_name, file_url
from services.ingest.files.rules import InspectedFile, RejectedFile
from services.ingest.media.library import MediaStore, UploadedFile, put_file, run_decoder
from services.ingest.media.uses import USES_MAX, ArticleUse, PageUse, article_uses, page_uses
from services.ingest.metrics import FILE_UPLOADS
from services.ingest.queries import SQL
from shared.articles import File
from shared.http.problems import Problem
from shared.logs import log
from shared.object_store import FILES, STORE_ERRORS

FILE_BYTES_MAX = 50 * 1024 * 1024
"""Unless the settings have another limit."""


class FileItem(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a site. `block` can be put into the body of the site's articles as it is."""

    site: str
    id: str
    type: str
    name: str
    bytes: int
    url: str
    """Where visitors download it while a public article offers it."""
    block: File
    warnings: list[str]
    """What its editor should know."""
    who: str
    created_at: datetime


class FileWithUses(FileItem, frozen=True, kw_only=True):
    """A file, and the articles that offer it in their working or their published version."""

    used_in: list[ArticleUse]
    """Those that the caller may read; of each file of a list the newest ones."""
    pages: list[PageUse]
    """Static pages that offer it."""
    is_used: bool
    """Whether any article or static page offers it: then it cannot be deleted."""


def file_item(row: asyncpg.Record) -> FileItem:
    """Return the file of a row of the table `files`."""
    url = file_url(row["id"], row["name"], row["type"])
    return FileItem(
        site=row["site"],
        id=row["id"],
        type=row["type"],
        name=row["name"],
        bytes=row["bytes"],
        url=url,
        block=File(url, row["name"], row["id"], row["bytes"], row["type"]),
        warnings=list(row["warnings"]),
        who=row["who"],
        created_at=row["created_at"],
    )


async def store_file(
    pool: asyncpg.Pool, media: MediaStore, site: str, uploaded: UploadedFile, actor: Actor
) -> tuple[FileItem, bool]:
    """Check and store a file of a site; return it, and whether it is new there. The same bytes are one file.

    Its id is random: nobody who has the same bytes can find out where, or whether, they are on the site.

    Raises:
        Problem: 415 or 422 for a refused file; 503 if the media store or the check is unavailable.
    """
    if not uploaded.bytes:
        raise Problem(422, "The file is empty.", code="empty_file")
    checksum = bytes.fromhex(uploaded.id)
    row = await pool.fetchrow(SQL["file_of_checksum"], site, checksum)
    if row is None and await find_checksums(pool, media, site, uploaded.bytes):
        row = await pool.fetchrow(SQL["file_of_checksum"], site, checksum)
    if row is not None:
        FILE_UPLOADS.labels("known").inc()
        return file_item(row), False
    file_id = secrets.token_hex(16)
    try:
        inspected = await _inspect(media, uploaded)
        await put_file(media.store, FILES + file_id, uploaded.file)
    except Problem as problem:
        FILE_UPLOADS.labels("failed" if problem.status >= 500 else "refused").inc()
        raise
    name = display_name(uploaded.name, inspected.type)
    async with pool.acquire() as connection, connection.transaction():
        values = (file_id, site, checksum, inspected.type, name, uploaded.bytes, inspected.warnings)
        row = await connection.fetchrow(SQL["insert_file"], *values, actor.name, actor.id)
        if row is not None:
            await record(connection, actor, "upload", kind="file", id=file_id, site=site, details={"name": name})
    if row is None:  # the same file was uploaded at the same time
        await _remove(media, file_id)
        row = await pool.fetchrow(SQL["file_of_checksum"], site, checksum)
        if row is None:
            raise Problem(
                503, "The file was deleted at the same time; retry.", headers={"retry-after": "1"}, code="busy"
            )
        FILE_UPLOADS.labels("known").inc()
        return file_item(row), False
    FILE_UPLOADS.labels("stored").inc()
    return file_item(row), True


async def _inspect(media: MediaStore, uploaded: UploadedFile) -> InspectedFile:
    result = await run_decoder(media, "services.ingest.files.inspection", [str(uploaded.file)], uploaded.id)
    if "error" not in result:
        return msgspec.convert(result, InspectedFile)
    rejected = msgspec.convert(result, RejectedFile)
    sizes: dict[str, Any] = {} if rejected.limit is None else {"limit": rejected.limit, "size": rejected.size}
    raise Problem(rejected.status, f"The file {rejected.error}.", reason=rejected.code, **sizes, code="file_refused")


async def _remove(media: MediaStore, file_id: str) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(media.store, FILES + file_id)
    except STORE_ERRORS as error:
        log.warning("a file of the media store could not be deleted; nothing refers to it", reason=repr(error)[:500])


async def stored_file(pool: asyncpg.Pool, file_id: str, sites: Sequence[str] | None) -> FileItem | None:
    """Return a file of one of some sites, of any if None; None if none of them has it."""
    row = await pool.fetchrow(SQL["file"], file_id, sites)
    return None if row is None else file_item(row)


async def with_uses(
    pool: asyncpg.Pool, items: Sequence[FileItem], caller: Caller, limit: int | None = USES_MAX
) -> list[FileWithUses]:
    """Return files with the static pages and the newest articles that offer them and that the caller may read."""
    keys = [(item.site, item.id) for item in items]
    async with pool.acquire() as connection:
        readable = await article_uses(connection, keys, caller.places_with("read"), limit)
        any_uses = await article_uses(connection, keys, limit=1)
        pages = await page_uses(connection, keys)
    return [
        FileWithUses(
            **{name: getattr(item, name) for name in FileItem.__struct_fields__},
            used_in=readable.get(key, []),
            pages=pages.get(key, []),
            is_used=key in any_uses or key in pages,
        )
        for item, key in zip(items, keys, strict=True)
    ]


async def rename_file(pool: asyncpg.Pool, item: FileItem, name: str, actor: Actor) -> FileItem:
    """Change the name that visitors see, for articles that are saved from now on; those before keep its former URL."""
    name = display_name(name, item.type)
    async with pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(SQL["rename_file"], item.id, name)
        if row is None:
            raise Problem(404, "Not found.")
        details = {"name": name, "former_name": item.name}
        await record(connection, actor, "rename", kind="file", id=item.id, site=item.site, details=details)
    return file_item(row)


async def delete_file(pool: asyncpg.Pool, media: MediaStore, item: FileItem, caller: Caller) -> None:
    """Delete a file that no article and no static page offers, neither in a working nor in a public version.

    Raises:
        Problem: 409 with those that offer it, 404 if it was deleted meanwhile.
    """
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchrow(SQL["lock_file"], item.id) is None:
            raise Problem(404, "Not found.")
        key = (item.site, item.id)
        uses = (await article_uses(connection, [key])).get(key, [])
        pages = (await page_uses(connection, [key])).get(key, [])
        if uses or pages:
            readable = (await article_uses(connection, [key], caller.places_with("read"))).get(key, [])
            detail = (
                f"{len(uses)} article(s) and {len(pages)} static page(s) offer the file; remove it from them first."
            )
            raise Problem(409, detail, reason="file-used", used_in=readable, pages=pages, code="in_use")
        await connection.execute(SQL["delete_file"], item.id)
        details = {"name": item.name, "bytes": item.bytes}
        await record(connection, caller.actor, "delete", kind="file", id=item.id, site=item.site, details=details)
    await _remove(media, item.id)
