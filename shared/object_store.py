"""The media store: renditions and files for visitors, originals for editors only. A folder, or S3 by URL.

`public/NAME` is served at /media/NAME. A name is a part of the content's SHA-256, so that an object never changes.
"""

from pathlib import Path
from typing import Annotated

from obstore import parse_scheme
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url
from pydantic import AfterValidator, Field

PUBLIC = "public/"
ORIGINALS = "originals/"
FILES = "files/"
"""Documents by id. They are served at /tep/ID/NAME while a public article offers them."""
NAME_PATTERN = r"^[0-9a-f]{32}\.(?:jpg|webp|avif)$"
TYPES = {"jpg": "image/jpeg", "webp": "image/webp", "avif": "image/avif"}
STORE_ERRORS = (BaseError, OSError)
"""Raised by an unavailable store. FileNotFoundError, an OSError, means that the object does not exist."""


class StoreError(ValueError):
    """A URL that cannot be used as a store; the message says why."""


def _names_a_store(url: str) -> str:
    if "://" in url:
        try:
            parse_scheme(url)
        except (BaseError, ValueError) as error:
            raise ValueError("must be a folder, file:///… or s3://bucket/prefix") from error
    return url


StoreUrl = Annotated[
    str,
    AfterValidator(_names_a_store),
    Field(min_length=1, description="The media store: a folder, file:///… or s3://bucket/prefix"),
]
"""For settings: ingest writes to the store, render reads from it."""


def open_store(url: str) -> ObjectStore:
    """Open the store at a URL: file:///folder or a plain path, s3://bucket/prefix, or another that obstore knows.

    S3's keys, region and endpoint come from the environment: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL and so on.

    Raises:
        StoreError: the URL cannot be used, or the folder cannot be created.
    """
    scheme, separator, rest = url.partition("://")
    try:
        if not separator or scheme == "file":
            folder = Path(rest if separator else url).absolute()
            folder.mkdir(parents=True, exist_ok=True)
            return LocalStore(prefix=folder)
        return from_url(url)
    except (BaseError, OSError, ValueError) as error:
        raise StoreError(f"{url!r} cannot be opened: {str(error)[:300]}") from error
