"""Decodes an image and writes its renditions and crops: `python -m services.ingest.media.renditions FILE FOLDER X Y`.

Image decoders are the code most exposed to untrusted bytes, so each image is decoded in a subprocess with limits on
memory and CPU time. Renditions are encoded from the pixels only: no metadata, such as the GPS position, and no trailing
data of the original gets into them.
"""

import hashlib
import io
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image, ImageCms

from services.ingest.media.crops import crop_box, crop_sizes, scale_for_crops
from services.ingest.media.image_types import (
    HEAD_BYTES,
    ImageError,
    RejectedImage,
    RenditionFile,
    RenditionSet,
    sniff_type,
)
from shared.articles import CROP_RATIOS, IMAGE_WIDTHS, Focus

PIXELS_MAX = 50_000_000
SIDE_PIXELS_MAX = 16_383
"""The maximum width and height of WebP."""
MEMORY_BYTES_MAX = 1_200_000_000
CPU_SECONDS_MAX = 60
_PILLOW_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
}
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""By EXIF orientation; from 5 on, width and height are swapped."""
_ORIENTATION = 0x0112
_Encoder = tuple[str, str, str, dict[str, Any]]
_ENCODERS: tuple[_Encoder, ...] = (
    ("JPEG", "image/jpeg", "jpg", {"quality": 82, "optimize": True, "progressive": True}),
    ("WEBP", "image/webp", "webp", {"quality": 80, "method": 4}),
    ("AVIF", "image/avif", "avif", {"quality": 60, "speed": 8, "max_threads": 1}),
)
_CROP_ENCODERS = (_ENCODERS[0], _ENCODERS[2])
"""Crops travel with each article: AVIF for nearly all browsers, JPEG for the others and for other sites."""


def create_renditions(
    file: Path, folder: Path, focus: Focus | None = None, *, only_crops: bool = False
) -> RenditionSet:
    """Write the renditions of an image, and its crops around a focus point, into a folder.

    Args:
        file: The uploaded file.
        folder: Where to write them.
        focus: Of the upright image; None: its centre.
        only_crops: Whether the renditions exist already.

    Raises:
        ImageError: it is not an image, too large, animated or damaged.
    """
    with file.open("rb") as opened:
        kind = sniff_type(opened.read(HEAD_BYTES))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limits here are below Pillow's
            with Image.open(file, formats=[_PILLOW_FORMATS[kind]]) as image:
                return _render(image, kind, folder, focus or Focus(), only_crops=only_crops)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # decoders raise many kinds of errors
        reason = str(error).replace(str(file), "the file").replace(str(file.parent), "")[:200]
        raise ImageError(f"is damaged or truncated: {reason or type(error).__name__}") from error


def _render(image: Image.Image, kind: str, folder: Path, focus: Focus, *, only_crops: bool) -> RenditionSet:
    width, height = image.size
    if width * height > PIXELS_MAX:
        message = f"must have at most {PIXELS_MAX:,} pixels (got {width * height:,}, {width} x {height})"
        raise ImageError(message, 422, PIXELS_MAX, width * height, "too-large")
    if max(width, height) > SIDE_PIXELS_MAX:
        message = f"must be at most {SIDE_PIXELS_MAX:,} pixels wide and high (got {width} x {height})"
        raise ImageError(message, 422, SIDE_PIXELS_MAX, max(width, height), "too-large")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # MPO: phones append a second image
        raise ImageError(f"must not be animated (got {frames:,} frames)", 422, 1, frames, "animated")
    orientation = image.getexif().get(_ORIENTATION, 1)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    widest = min(width, IMAGE_WIDTHS[-1])
    wanted = min(width, max(widest, round(width * scale_for_crops(width, height))))
    upright = _apply_orientation(image, orientation, width, wanted)
    renditions = []
    if not only_crops:
        widths = [widest, *(one for one in reversed(IMAGE_WIDTHS) if one < widest)]
        renditions = [file for one in widths for file in _encode(upright, one, folder)]
    crops = [file for ratio in CROP_RATIOS for file in _encode_crop(upright, ratio, focus, folder)]
    return RenditionSet(kind, width, height, renditions, crops)


def _apply_orientation(image: Image.Image, orientation: int, width: int, wanted: int) -> Image.Image:
    """Return the image with its orientation applied, scaled to a width, in sRGB, and without metadata."""
    profile = image.info.get("icc_profile")
    scale = wanted / width
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image.draft("RGB", size)  # decodes a JPEG no larger than needed
    image.load()
    if image.mode.startswith("I"):  # 16 bits of grey, which a conversion would cut off at 8
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    elif image.mode not in ("RGB", "RGBA", "L", "CMYK"):
        has_alpha = "A" in image.getbands() or "transparency" in image.info
        image = image.convert("RGBA" if has_alpha else "RGB")
    if image.size != size:
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if orientation in _TRANSPOSITIONS:
        image = image.transpose(_TRANSPOSITIONS[orientation])
    image = _to_srgb(image, profile)
    image.info = {}  # encoders would write this metadata
    return image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    if profile and image.mode != "L":
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # an unreadable profile is ignored
        else:
            assert converted is not None
            return converted
    return image if image.mode == mode else image.convert(mode)


def _encode(upright: Image.Image, width: int, folder: Path) -> list[RenditionFile]:
    height = max(1, round(upright.height * width / upright.width))
    is_same = width == upright.width
    image = upright if is_same else upright.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return [_write(image, encoder, folder) for encoder in _ENCODERS]


def _encode_crop(upright: Image.Image, ratio: str, focus: Focus, folder: Path) -> list[RenditionFile]:
    """Write the crops of a ratio, which are never wider than the part of the image that they show."""
    box = crop_box(upright.width, upright.height, ratio, focus)
    files = []
    for size in crop_sizes(box, ratio):
        image = upright.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
        files += [_write(image, encoder, folder, ratio) for encoder in _CROP_ENCODERS]
    return files


def _write(image: Image.Image, encoder: _Encoder, folder: Path, ratio: str = "") -> RenditionFile:
    encoding, kind, ending, options = encoder
    output = io.BytesIO()
    (_flatten(image) if encoding == "JPEG" else image).save(output, encoding, **options)
    content = output.getvalue()
    name = f"{hashlib.sha256(content).hexdigest()[:32]}.{ending}"
    (folder / name).write_bytes(content)
    return RenditionFile(name, image.width, image.height, kind, len(content), ratio)


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def main(file: str, folder: str, x: str = "0.5", y: str = "0.5", only_crops: str = "") -> int:
    """Write the renditions and crops, and print the result as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        focus = Focus(float(x), float(y))
        result: RenditionSet | RejectedImage = create_renditions(
            Path(file), Path(folder), focus, only_crops=bool(only_crops)
        )
    except ImageError as error:
        result = RejectedImage(str(error), error.status, error.limit, error.size, error.reason)
    except MemoryError:
        result = RejectedImage("exceeds the memory limit for decoding", 422, reason="too-large")
    sys.stdout.buffer.write(msgspec.json.encode(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
