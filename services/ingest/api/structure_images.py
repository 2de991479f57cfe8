"""Images of profiles and static pages, as the media library has them."""

from datetime import UTC, datetime

from services.ingest.content.block_models import ImageIn
from services.ingest.content.conversion import image_of
from services.ingest.files.references import resolve_media
from shared.articles import Article, Block, Figure, Image
from shared.postgres import Connection

_AT = datetime(2026, 1, 1, tzinfo=UTC)


async def stored_image(connection: Connection, site: str, sent: ImageIn | None, field: str) -> Image | None:
    """Return an image with its URL and renditions.

    Raises:
        InvalidContentError: it is not in the media library of the site.
    """
    if sent is None:
        return None
    shell = await resolve_media(connection, _shell(site, [Figure("", image_of(sent))]), strict=True)
    figure = shell.body[0]
    assert isinstance(figure, Figure)
    return figure.image


async def stored_body(connection: Connection, site: str, body: list[Block]) -> list[Block]:
    """Return blocks whose images have their URLs and renditions.

    Raises:
        InvalidContentError: one is not in the media library of the site.
    """
    return (await resolve_media(connection, _shell(site, body), strict=True)).body


def _shell(site: str, body: list[Block]) -> Article:
    return Article(
        id="x",
        number=1,
        site=site,
        version=1,
        state="draft",
        title="x",
        slug="x",
        section="x",
        language="vi",
        body=body,
        modified_at=_AT,
        first_published_at=None,
    )
