"""Pictures in an imported file itself → the media store, before the articles that show them are saved."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import asyncpg
import msgspec

from services.ingest.imports.drafts import ImportOptions
from services.ingest.imports.item import ImportItem
from services.ingest.imports.upsert import ImportedDraft
from services.ingest.imports.warnings import make_warning
from services.ingest.media.library import UploadedFile, store_image
from services.ingest.queries import SQL
from shared.articles import Figure
from shared.http.problems import Problem

_Other = TypeVar("_Other")
Batch = Sequence[tuple[ImportItem, ImportedDraft] | _Other]


async def store_embedded_images(
    pool: asyncpg.Pool, batch: Batch[_Other], options: ImportOptions
) -> list[tuple[ImportItem, ImportedDraft] | _Other]:
    """Store the pictures that drafts bring with them, under their URLs, as if they had been fetched from there.

    A picture that is refused is left out of its draft, with a warning. In a dry run nothing is stored.
    """
    return [
        (one[0], await _store(pool, one[0], one[1], options)) if isinstance(one, tuple) and one[0].embedded else one
        for one in batch
    ]


async def _store(pool: asyncpg.Pool, item: ImportItem, draft: ImportedDraft, options: ImportOptions) -> ImportedDraft:
    if options.media is None or options.dry_run:
        return draft
    rows = await pool.fetch(SQL["fetched_images"], options.site.slug, list(item.embedded))
    known = {row["url"] for row in rows}
    refused: dict[str, str] = {}
    for number, (url, content) in enumerate(item.embedded.items(), 1):
        if url in known:
            continue
        with tempfile.TemporaryDirectory(prefix="presstally-media-") as folder:
            file = Path(folder) / "original"
            file.write_bytes(content)
            name = f"{options.file_name[:150]}, {number}"
            uploaded = UploadedFile(file, hashlib.sha256(content).hexdigest(), name, len(content))
            try:
                stored, _ = await store_image(pool, options.media, options.site.slug, uploaded, None, options.actor)
            except Problem as problem:
                if problem.status >= 500:
                    raise
                refused[url] = problem.detail
                continue
        await pool.execute(SQL["save_fetched_image"], options.site.slug, url, stored.id, datetime.now(UTC))
    return _without(item, draft, refused)


def _without(item: ImportItem, draft: ImportedDraft, refused: dict[str, str]) -> ImportedDraft:
    if not refused:
        return draft
    body = [
        block
        for block in draft.fields["body"]
        if not (isinstance(block, Figure) and block.image is not None and block.image.url in refused)
    ]
    warnings = [make_warning("image", f"a picture was left out: {reason}") for reason in refused.values()]
    placed = [msgspec.structs.replace(one, place=item.place) for one in warnings]
    return replace(draft, fields={**draft.fields, "body": body}, warnings=[*draft.warnings, *placed])
