"""Images of profiles and static pages, as the media library has them."""

from datetime import UTC, datetime

import msgspec

from services.ingest.content.block_models import ImageIn
from services.ingest.content.conversion import image_of
from services.ingest.content.errors import InvalidContentError
from services.ingest.files.references import resolve_media
from shared.articles import Article, Block, Figure, Image
from shared.postgres import Connection

_AT = datetime(2026, 1, 1, tzinfo=UTC)


async def stored_image(connection: Connection, site: str, sent: ImageIn | None, field: str) -> Image | None:
    """Return an image with its URL and renditions.

    Args:
        connection: In the transaction that stores what shows the image.
        site: Its site.
        sent: As it was sent.
        field: Its path in the request, for errors.

    Raises:
        InvalidContentError: it is not in the media library of the site.
    """
    if sent is None:
        return None
    try:
        shell = await resolve_media(connection, _shell(site, [Figure("", image_of(sent))]), strict=True)
    except InvalidContentError as error:
        named = [msgspec.structs.replace(one, field=one.field.replace("body.0.image", field)) for one in error.errors]
        raise InvalidContentError(named) from error
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
