"""Types of images by their first bytes, and what the process that decodes an image answers. Pure.

Apart from the decoder, which the server itself never imports.
"""

import re

import msgspec

HEAD_BYTES = 1_024

_FTYP_TYPES = {b"avif": "image/avif", b"avis": "image/avif"}
_KNOWN_SIGNATURES = (
    (
        re.compile(
            rb"^\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*(?:<!doctype svg[^>]*>\s*)?<svg", re.IGNORECASE | re.DOTALL
        ),
        "SVG",
    ),
    (
        re.compile(rb"^\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|script)", re.IGNORECASE | re.DOTALL),
        "HTML",
    ),
    (re.compile(rb"^\s*<\?xml", re.IGNORECASE), "XML"),
    (re.compile(rb"^PK\x03\x04"), "a ZIP archive or an Office document"),
    (re.compile(rb"^%PDF-"), "a PDF"),
    (re.compile(rb"^....ftyp(?:heic|heix|hevc|mif1|msf1)", re.DOTALL), "HEIC; export it as JPEG"),
    (re.compile(rb"^(?:II\*\x00|MM\x00\*)"), "TIFF; export it as JPEG"),
    (re.compile(rb"^BM"), "BMP; export it as PNG"),
    (re.compile(rb"^(?:....ftyp|\x1aE\xdf\xa3)", re.DOTALL), "a video"),
    (re.compile(rb"^(?:MZ|\x7fELF|#!)"), "a program"),
)


class ImageError(ValueError):
    """A rejected file, with the limit and the size of the file where they help, and a stable name of the reason."""

    def __init__(
        self,
        message: str,
        status: int = 422,
        limit: int | None = None,
        size: int | None = None,
        reason: str = "damaged",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.limit = limit
        self.size = size
        self.reason = reason


class RenditionFile(msgspec.Struct, frozen=True):
    """A rendition as stored; its name starts with the first 32 digits of its SHA-256."""

    name: str
    width: int
    height: int
    type: str
    bytes: int | None = None
    """None for renditions stored before sizes were recorded."""
    ratio: str = ""
    """Of a crop: a key of CROP_RATIOS."""


class RenditionSet(msgspec.Struct, frozen=True):
    """The result: the detected type, the size after applying the orientation, the renditions, and the crops.

    Renditions, and the crops of each ratio, are ordered by descending width, and of each width JPEG is the first.
    """

    type: str
    width: int
    height: int
    renditions: list[RenditionFile]
    crops: list[RenditionFile] = []


class RejectedImage(msgspec.Struct, frozen=True):
    """The reason why an image was rejected."""

    error: str
    status: int
    limit: int | None = None
    size: int | None = None
    reason: str = "damaged"
    """A stable name, such as `animated`."""


def sniff_type(head: bytes) -> str:
    """Return the media type of a file by its first bytes.

    Raises:
        ImageError: 415 for an unsupported type; the message names the detected type.
    """
    found = None
    if head.startswith(b"\xff\xd8\xff"):
        found = "image/jpeg"
    elif head.startswith(b"\x89PNG\r\n\x1a\n"):
        found = "image/png"
    elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        found = "image/webp"
    elif head[:6] in (b"GIF87a", b"GIF89a"):
        found = "image/gif"
    elif head[4:8] == b"ftyp":
        found = _FTYP_TYPES.get(head[8:12])
    if found is None:
        detected = next((name for pattern, name in _KNOWN_SIGNATURES if pattern.search(head)), None)
        message = f"is {detected}" if detected else "is not a known image type"
        raise ImageError(
            f"{message}; supported types are JPEG, PNG, WebP, AVIF and GIF", 415, reason="unsupported-type"
        )
    return found
