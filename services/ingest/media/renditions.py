"""An image file → its renditions, in a process of its own: `python -m services.ingest.media.renditions IN OUT`.

Decoders are the part of the system that strangers' bytes reach most deeply. So each image is decoded by a process that
has a bound on memory and on processor time, and that nobody misses when it dies. What it writes is encoded anew from
the pixels: no metadata, no place where the photo was taken, nothing that was hidden behind the picture.
"""

import hashlib
import io
import re
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image, ImageCms

from shared.articles import IMAGE_WIDTHS

PIXELS_MAX = 50_000_000
SIDE_PIXELS_MAX = 16_383
"""The longest side that WebP can have."""
MEMORY_BYTES_MAX = 1_200_000_000
CPU_SECONDS_MAX = 60
HEAD_BYTES = 1_024

_WITH_FTYP = {b"avif": "image/avif", b"avis": "image/avif"}
_OF_TYPE = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF", "image/avif": "AVIF"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By the EXIF orientation; from 5 on width and height change places."""
_ORIENTATION = 0x0112
_ENCODERS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("JPEG", "image/jpeg", "jpg", {"quality": 82, "optimize": True, "progressive": True}),
    ("WEBP", "image/webp", "webp", {"quality": 80, "method": 4}),
    ("AVIF", "image/avif", "avif", {"quality": 60, "speed": 8, "max_threads": 1}),
)
_LOOKS = (
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
    """A file that is refused; where it helps with the limit and the file's size."""

    def __init__(self, fault: str, status: int = 422, limit: int | None = None, size: int | None = None) -> None:
        super().__init__(fault)
        self.status = status
        self.limit = limit
        self.size = size


class Copy(msgspec.Struct, frozen=True):
    """One copy: its name is the beginning of its SHA-256."""

    name: str
    width: int
    height: int
    type: str
    bytes: int | None = None
    """None of copies that were stored before it was noted."""


class Made(msgspec.Struct, frozen=True):
    """What became of an image: its true type, its size as people see it, and its copies, the widest first."""

    type: str
    width: int
    height: int
    copies: list[Copy]


class Refused(msgspec.Struct, frozen=True):
    """Why an image was refused."""

    fault: str
    status: int
    limit: int | None = None
    size: int | None = None


def type_of(head: bytes) -> str:
    """Return the media type that a file's first bytes show, whatever its name says.

    Raises:
        ImageError: 415, it is none of the images that are taken; the message says what it looks like.
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
        found = _WITH_FTYP.get(head[8:12])
    if found is None:
        looks = next((name for pattern, name in _LOOKS if pattern.search(head)), None)
        what = f"is {looks}" if looks else "is no image that is known here"
        raise ImageError(f"{what}; JPEG, PNG, WebP, AVIF and GIF are taken", 415)
    return found


def make(file: Path, folder: Path) -> Made:
    """Write an image's copies into a folder.

    Raises:
        ImageError: it is no image, too large, animated or damaged.
    """
    with file.open("rb") as opened:
        kind = type_of(opened.read(HEAD_BYTES))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own bounds are below Pillow's
            with Image.open(file, formats=[_OF_TYPE[kind]]) as image:
                return _make(image, kind, folder)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they come upon
        raise ImageError(f"is damaged or cut off: {str(error)[:200] or type(error).__name__}") from error


def _make(image: Image.Image, kind: str, folder: Path) -> Made:
    width, height = image.size
    if width * height > PIXELS_MAX:
        fault = f"has {width * height:,} pixels ({width} x {height}); {PIXELS_MAX:,} is the most"
        raise ImageError(fault, 422, PIXELS_MAX, width * height)
    if max(width, height) > SIDE_PIXELS_MAX:
        fault = f"is {width} x {height} pixels; {SIDE_PIXELS_MAX:,} is the longest side"
        raise ImageError(fault, 422, SIDE_PIXELS_MAX, max(width, height))
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # phones put a second picture behind the first one
        raise ImageError(f"is animated: it has {frames:,} frames; 1 is the most", 422, 1, frames)
    orientation = image.getexif().get(_ORIENTATION, 1)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    widest = _upright(image, orientation, width, min(width, IMAGE_WIDTHS[-1]))
    widths = [widest.width, *(one for one in reversed(IMAGE_WIDTHS) if one < widest.width)]
    copies = [copy for one in widths for copy in _copies(widest, one, folder)]
    return Made(kind, width, height, copies)


def _upright(image: Image.Image, orientation: int, width: int, wanted: int) -> Image.Image:
    """Return the picture as people see it, scaled to a width, in sRGB, with nothing but its pixels."""
    profile = image.info.get("icc_profile")
    scale = wanted / width
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image.draft("RGB", size)  # a JPEG is decoded no larger than needed
    image.load()
    if image.mode not in ("RGB", "RGBA", "L", "CMYK"):
        see_through = "A" in image.getbands() or "transparency" in image.info
        image = image.convert("RGBA" if see_through else "RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    image = _to_srgb(image, profile)
    image.info = {}  # encoders write what they find here
    return image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile and image.mode != "L":
        try:
            theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, theirs, ImageCms.createProfile("sRGB"), outputMode=mode)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a profile that cannot be read says nothing
        else:
            assert converted is not None
            return converted
    return image if image.mode == mode else image.convert(mode)


def _copies(widest: Image.Image, width: int, folder: Path) -> list[Copy]:
    height = max(1, round(widest.height * width / widest.width))
    image = widest if width == widest.width else widest.resize((width, height), Image.Resampling.LANCZOS)
    found = []
    for encoder, kind, ending, options in _ENCODERS:
        output = io.BytesIO()
        (_on_white(image) if encoder == "JPEG" else image).save(output, encoder, **options)
        content = output.getvalue()
        name = f"{hashlib.sha256(content).hexdigest()[:32]}.{ending}"
        (folder / name).write_bytes(content)
        found.append(Copy(name, width, height, kind, len(content)))
    return found


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def main(file: str, folder: str) -> int:
    """Write the copies, and what became of the image as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer: Made | Refused = make(Path(file), Path(folder))
    except ImageError as error:
        answer = Refused(str(error), error.status, error.limit, error.size)
    except MemoryError:
        answer = Refused("needs more memory to be decoded than an image may take", 422)
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
