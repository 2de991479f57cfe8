"""Checksums of files that a recovery has found in articles: made from their content when an upload may be one."""

import hashlib

import asyncpg
import obstore
from obstore.exceptions import NotFoundError

from services.ingest.media.library import MediaStore
from services.ingest.queries import SQL
from shared.object_store import FILES, STORE_ERRORS


async def find_checksums(pool: asyncpg.Pool, media: MediaStore, site: str, size: int) -> bool:
    """Store the checksums of a site's recovered files that may have so many bytes; return whether there were any.

    What cannot be read keeps the checksum of no file: then an upload of its content is another file.
    """
    rows = await pool.fetch(SQL["recovered_files"], site, size)
    for row in rows:
        digest, count = hashlib.sha256(), 0
        try:
            result = await obstore.get_async(media.store, FILES + row["id"])
            async for chunk in result.stream():
                digest.update(chunk)
                count += len(chunk)
        except (FileNotFoundError, NotFoundError, *STORE_ERRORS):
            continue
        await pool.execute(SQL["set_file_checksum"], row["id"], digest.digest(), count)
    return bool(rows)
