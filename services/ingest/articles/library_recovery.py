"""Images and files that what is taken over from the topics shows, and that a restored database does not know.

Their bytes are in the media store, and their data in the articles, pages and authors that show them. Without their
rows none of these could be changed any more: what an article shows has to be in the library of its site.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from services.ingest.queries import SQL
from shared.articles import MEDIA_PREFIX, Article, Crop, Figure, File, Image, Rendition, file_id_of, focus_key
from shared.postgres import Connection
from shared.site_structure import SiteStructure, StaticPage

RECOVERED_BY = "recovery"
_TYPES = {"jpg": "image/jpeg", "webp": "image/webp", "avif": "image/avif"}
_IMAGE_ID, _FILE_ID = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")


async def recover_library(connection: Connection, source: Article | StaticPage | SiteStructure) -> None:
    """Insert a row for each image and file of the portal's own that has none on the site.

    What only the library knew is lost: the type, size and name of the original of an image, and the check of a file.
    The checksum of a file is found again when the same file may be uploaded again: services/ingest/files/recovered.py.

    Args:
        connection: In the transaction that takes the source over.
        source: What shows them.
    """
    for one in shown_by(source):
        if isinstance(one, Image):
            await _recover_image(connection, source.site, one)
        else:
            await _recover_file(connection, source.site, one)


def shown_by(source: Article | StaticPage | SiteStructure) -> Iterator[Image | File]:
    """Yield the images and files of the portal's own that an article, a page, or a site's authors and banners show."""
    if isinstance(source, SiteStructure):
        banners = [one.image for one in source.banners.items]
        found: Iterable[Any] = [*(author.photo for author in source.authors), *banners]
    else:
        lead = [source.lead_image] if isinstance(source, Article) else []
        found = [one.image if isinstance(one, Figure) else one for one in (*lead, *source.body)]
    for one in found:
        if (isinstance(one, Image) and _is_stored(one)) or (
            isinstance(one, File) and _FILE_ID.fullmatch(file_id_of(one))
        ):
            yield one


def _is_stored(image: Image) -> bool:
    return image.url.startswith(MEDIA_PREFIX) and _IMAGE_ID.fullmatch(image.media or "") is not None


async def _recover_image(connection: Connection, site: str, image: Image) -> None:
    files = [_rendition(image.url, image, bytes=image.bytes)]
    files += [_rendition(one.url, one) for one in image.renditions]
    point = (image.focus.x, image.focus.y) if image.focus else (None, None)
    size = (image.bytes or 0, files[0]["width"], files[0]["height"])
    names = [one["name"] for one in files]
    row: tuple[Any, ...] = (
        image.media,
        files[0]["type"],
        "",
        *size,
        _json(files),
        names,
        *point,
        RECOVERED_BY,
        None,
        site,
    )
    await connection.execute(SQL["insert_media_item"], *row)
    crops = []
    for crop in image.crops:
        sizes: list[Crop | Rendition] = [crop, *crop.renditions]
        crops += [_rendition(one.url, one, ratio=crop.ratio) for one in sizes]
    if crops:
        await connection.execute(SQL["insert_crops"], site, image.media, focus_key(image.focus), _json(crops))


def _rendition(url: str, size: Any, **more: Any) -> dict[str, Any]:
    """Return a file of an image as the tables of the library have it."""
    kind = _TYPES.get(url.rpartition(".")[2], "image/jpeg")
    name = url.removeprefix(MEDIA_PREFIX)
    return {"name": name, "width": size.width or 1, "height": size.height or 1, "type": kind, **more}


async def _recover_file(connection: Connection, site: str, file: File) -> None:
    file_id = file_id_of(file)
    name = file.url.rpartition("/")[2] or file.name
    checksum = hashlib.sha256(file_id.encode()).digest()  # of no file, until the content is read
    row: tuple[Any, ...] = (file_id, site, checksum, file.media_type, name, file.bytes or 0, [], RECOVERED_BY, None)
    await connection.execute(SQL["recover_file"], *row)


def _json(files: list[dict[str, Any]]) -> str:
    return msgspec.json.encode(files).decode()
