"""The images and files of articles: what a block says about one is what the site's libraries say."""

import asyncpg
import msgspec
from slugify import slugify

from services.ingest.articles.related_blocks import resolve_related
from services.ingest.content.errors import InvalidContentError, field_error
from services.ingest.files.rules import EXTENSIONS
from services.ingest.media.library import resolve_images
from services.ingest.queries import SQL
from shared.articles import FILE_NAME_CHARACTERS_MAX, FILE_PREFIX, MEDIA_PREFIX, Article, File, file_id_of
from shared.http.downloads import NAMELESS, with_extension
from shared.postgres import Connection

SLUG_CHARACTERS_MAX = 80


def file_url(file_id: str, name: str, kind: str) -> str:
    """Return the path of a file on its site: its id, and its name for people."""
    stem = name.rpartition(".")[0] or name
    slug = slugify(stem, max_length=SLUG_CHARACTERS_MAX, word_boundary=True) or NAMELESS
    return f"{FILE_PREFIX}{file_id}/{slug}.{EXTENSIONS[kind]}"


def display_name(name: str, kind: str) -> str:
    """Return the name of a file with the extension of its type, whatever extension it had, no longer than a block's."""
    return with_extension(name, EXTENSIONS[kind], FILE_NAME_CHARACTERS_MAX)


async def resolve_media(connection: Connection, article: Article, *, strict: bool = False) -> Article:
    """Return the article with its images, files and related articles as its site has them: see the three functions.

    Args:
        connection: In the transaction that stores the article.
        article: As sent or as stored.
        strict: Whether every image and file with a URL of the portal must be in a library, as for publication.

    Raises:
        InvalidContentError: an image or file is not in the library of its site, or a related article does not exist.
    """
    article = await resolve_related(connection, article)
    return await resolve_files(connection, await resolve_images(connection, article, strict=strict), strict=strict)


async def resolve_files(connection: Connection, article: Article, *, strict: bool) -> Article:
    """Return the article with URL, type and size of its files from the library of its site.

    Files are identified by `media`, or by a URL below /tep/. The name that the article gives to one stays.

    Args:
        connection: In the transaction that stores the article: the files are locked against their deletion.
        article: As sent or as stored.
        strict: Whether every file with a URL of the portal must be in the library, as for publication.

    Raises:
        InvalidContentError: a file is not in the library of its site.
    """
    wanted = {number: file_id_of(block) for number, block in enumerate(article.body) if isinstance(block, File)}
    if not wanted:
        return article
    ids = [file_id for file_id in wanted.values() if file_id]
    rows = await connection.fetch(SQL["lock_files"], article.site, ids) if ids else []
    known = {row["id"]: row for row in rows}
    errors, body = [], list(article.body)
    for number, file_id in wanted.items():
        block = article.body[number]
        assert isinstance(block, File)
        if file_id in known:
            body[number] = _as_stored(block, known[file_id])
        elif block.media or file_id:
            errors.append(field_error(f"body.{number}.media", "file_not_stored"))
        elif strict and block.url.startswith(MEDIA_PREFIX):
            errors.append(field_error(f"body.{number}.url", "file_url_not_stored", url=block.url[:100]))
    if errors:
        raise InvalidContentError(errors)
    return msgspec.structs.replace(article, body=body)


def _as_stored(block: File, row: asyncpg.Record) -> File:
    kind = row["type"]
    name = block.name or display_name(row["name"], kind)
    return File(file_url(row["id"], row["name"], kind), name, row["id"], row["bytes"], kind)
