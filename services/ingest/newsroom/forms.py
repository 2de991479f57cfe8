"""Forms as browsers send them, within limits."""

from collections.abc import AsyncGenerator

from starlette.datastructures import FormData
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request

FORM_BYTES_MAX = 8 * 1024**2
"""Percent encoding makes three bytes of one, and the API takes articles of two megabytes."""
PUBLIC_BYTES_MAX = 64 * 1024
"""Of a form that needs no log-in."""
UPLOAD_BYTES_MAX = 64 * 1024**2
"""Of a form with files: what the gateway lets through."""
FILES_MAX = 50
FIELDS_MAX = 1_000


class FormTooLargeError(Exception):
    """A form has too many bytes."""


def is_upload(request: Request) -> bool:
    """Return whether a form may have files."""
    return request.headers.get("content-type", "").startswith("multipart/form-data")


async def read_form(request: Request, *, is_public: bool) -> FormData:
    """Return the fields of a form; files are on disk.

    Args:
        request: Of a person, unless the form needs no log-in.
        is_public: It needs none.

    Raises:
        FormTooLargeError: it is too large, or not a form.
    """
    bytes_max = PUBLIC_BYTES_MAX if is_public else UPLOAD_BYTES_MAX if is_upload(request) else FORM_BYTES_MAX

    async def limited() -> AsyncGenerator[bytes, None]:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > bytes_max:
                raise FormTooLargeError
            yield chunk

    try:
        if is_upload(request):
            return await MultiPartParser(
                request.headers, limited(), max_files=FILES_MAX, max_fields=FIELDS_MAX, max_part_size=FORM_BYTES_MAX
            ).parse()
        return await FormParser(request.headers, limited(), max_fields=FIELDS_MAX, max_part_size=FORM_BYTES_MAX).parse()
    except (MultiPartException, KeyError, ValueError, UnicodeDecodeError) as error:
        raise FormTooLargeError from error
