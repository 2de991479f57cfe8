"""Uploaded files: the body of a request itself, or a field of a form."""

from collections.abc import AsyncGenerator
from pathlib import PurePath

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from services.ingest.api.body_limits import limited_body, too_large
from services.ingest.content.errors import invalid
from services.ingest.content.normalization import TextError, clean_line
from shared.articles import FILE_NAME_CHARACTERS_MAX
from shared.http.problems import Problem

ENVELOPE_BYTES_MAX = 64 * 1024
"""Maximum overhead of a form around its file."""


async def uploaded_file(request: Request, bytes_max: int) -> tuple[AsyncGenerator[bytes, None], str]:
    """Return the chunks of an uploaded file, and its name in the form, "" if it has none.

    A form is written to disk while it is read.

    Raises:
        Problem: 400 for an invalid form, 413 for a file that is too large, 422 for a form without the field `file`.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return limited_body(request, bytes_max), ""
    chunks = limited_body(request, bytes_max, ENVELOPE_BYTES_MAX)
    try:
        form = await MultiPartParser(request.headers, chunks, max_files=1, max_fields=10).parse()
    except (MultiPartException, KeyError, ValueError, UnicodeDecodeError) as error:
        raise Problem(400, f"Invalid form: {str(error)[:200]}", code="invalid_form") from error
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Problem(422, "The form has no file in the field `file`.", code="no_file")
    if (file.size or 0) > bytes_max:
        await file.close()
        raise too_large(file.size or 0, bytes_max)
    return _file_chunks(file), file.filename or ""


async def _file_chunks(file: UploadFile) -> AsyncGenerator[bytes, None]:
    while chunk := await file.read(256 * 1024):
        yield chunk
    await file.close()


def clean_file_name(name: str) -> str:
    """Return the name of a file without its folder, at most FILE_NAME_CHARACTERS_MAX characters long.

    Raises:
        InvalidContentError: it has characters that no name has.
    """
    try:
        return PurePath(clean_line(name).replace("\\", "/")).name[-FILE_NAME_CHARACTERS_MAX:]
    except TextError as error:
        raise invalid("file_name", error.code, **error.values) from error
