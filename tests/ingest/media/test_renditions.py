"""Renditions of uploaded images, and hostile uploads."""

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from services.ingest.media.image_types import ImageError, sniff_type
from services.ingest.media.renditions import PIXELS_MAX, create_renditions
from shared.articles import IMAGE_WIDTHS

ROOT = Path(__file__).parent.parent.parent.parent


def picture(size: tuple[int, int] = (800, 500), mode: str = "RGB") -> Image.Image:
    """Return an image whose upper left quarter is red and the rest blue."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1] // 2))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def made(folder: Path, content: bytes) -> Any:
    file = folder / "original"
    file.write_bytes(content)
    return create_renditions(file, folder)


def camera_data(orientation: int) -> bytes:
    """Return EXIF data as phones write them: orientation, maker and position."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "TELEPHONE-MAKER"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (20.0, 11.0, 12.0)
    return exif.tobytes()


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG that declares a size, whatever its data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_create_renditions_applies_each_orientation(tmp_path: Path, orientation: int) -> None:
    """Each EXIF orientation gives the same upright renditions, without metadata."""
    upright = picture((400, 200))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    held = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    result = made(tmp_path, encoded(held, exif=camera_data(orientation), quality=95, comment=b"SECRET-COMMENT"))
    assert (result.width, result.height) == (400, 200)
    for rendition in result.renditions:
        content = (tmp_path / rendition.name).read_bytes()
        for secret in (b"TELEPHONE", b"SECRET", b"Exif"):
            assert secret not in content
        with Image.open(io.BytesIO(content)) as opened:
            assert (opened.size, dict(opened.getexif())) == ((rendition.width, rendition.height), {})
            colors = opened.convert("RGB")
        red, _, blue = colors.getpixel((10, 10))
        assert (red > 200, blue < 60) == (True, True), rendition
        for corner in ((rendition.width - 10, 10), (10, rendition.height - 10)):
            red, _, blue = colors.getpixel(corner)
            assert (blue > 200, red < 60) == (True, True), rendition


def test_create_renditions_has_allowed_widths_in_three_formats(tmp_path: Path) -> None:
    """A wide image is rendered in each allowed width as JPEG, WebP and AVIF; a small one is never enlarged."""
    wide = made(tmp_path, encoded(picture((2_400, 1_500))))
    formats = {"image/jpeg", "image/webp", "image/avif"}
    assert {(one.width, one.type) for one in wide.renditions} == {(w, kind) for w in IMAGE_WIDTHS for kind in formats}
    assert (wide.renditions[0].width, wide.renditions[0].height, wide.renditions[0].type) == (
        1_600,
        1_000,
        "image/jpeg",
    )
    small = made(tmp_path, encoded(picture((200, 100)), "PNG"))
    assert {(one.width, one.type) for one in small.renditions} == {(200, kind) for kind in formats}


def test_rendition_name_is_derived_from_content(tmp_path: Path) -> None:
    """The same pixels have the same names, other pixels have other names."""
    first, again = (made(tmp_path, encoded(picture(), "PNG")) for _ in range(2))
    assert first == again
    other = made(tmp_path, encoded(picture((800, 501)), "PNG"))
    assert not {one.name for one in first.renditions} & {one.name for one in other.renditions}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_create_renditions_accepts_each_pixel_mode(tmp_path: Path, mode: str) -> None:
    """Grey, palettes, transparency, CMYK and 16-bit greys become renditions."""
    kind = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    image = picture().convert("L").convert("I;16") if mode == "I;16" else picture(mode=mode)
    content = encoded(image, kind)
    if kind == "TIFF":
        with pytest.raises(ImageError, match="TIFF"):
            made(tmp_path, content)
        return
    assert made(tmp_path, content).renditions[0].width == 800


def test_create_renditions_converts_profile_to_srgb(tmp_path: Path) -> None:
    """A colour profile is applied and removed; an invalid one is ignored."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for one in (profile, b"no profile at all"):
        for rendition in made(tmp_path, encoded(picture(), icc_profile=one)).renditions:
            assert b"no profile" not in (tmp_path / rendition.name).read_bytes()
            with Image.open(tmp_path / rendition.name) as opened:
                assert "icc_profile" not in opened.info


def test_create_renditions_drops_trailing_data(tmp_path: Path) -> None:
    """A file that is an image and also an archive and a page keeps only its pixels."""
    trailing = b"PK\x03\x04<html><script>alert(1)</script>"
    for kind in ("JPEG", "PNG", "GIF", "WEBP"):
        result = made(tmp_path, encoded(picture(), kind) + trailing)
        for rendition in result.renditions:
            content = (tmp_path / rendition.name).read_bytes()
            assert b"<script" not in content
            assert b"PK\x03\x04" not in content


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (SVG, "SVG"),
        (b'<?xml version="1.0"?>\n<!-- x -->' + SVG, "SVG"),
        (b"<!DOCTYPE html><script>alert(1)</script>", "HTML"),
        (b'<?xml version="1.0"?><a/>', "XML"),
        (b"PK\x03\x04" + bytes(100), "ZIP"),
        (b"%PDF-1.7", "PDF"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(20), "HEIC"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(20), "video"),
        (b"MZ" + bytes(50), "program"),
        (b"", "not a known image"),
        (b"JPEG", "not a known image"),
        (bytes(5_000), "not a known image"),
    ],
)
def test_sniff_type_other_file_is_415_naming_its_type(content: bytes, says: str) -> None:
    """A file that is not a supported image is rejected with its detected type."""
    with pytest.raises(ImageError, match=says) as raised:
        sniff_type(content[:1_024])
    assert raised.value.status == 415


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (png(100_000, 100_000), "pixels"),
        (png(16_384, 10), "wide and high"),
        (png(2**31 - 1, 2**31 - 1), "pixels"),
        (png(0, 0), "damaged"),
        (png(500, 500, bytes(10)), "damaged"),
        (encoded(picture())[:-2_000], "damaged"),
        (encoded(picture(), "PNG")[:200], "damaged"),
        (encoded(picture(), "WEBP")[:100], "damaged"),
        (encoded(picture(), "AVIF")[:300], "damaged"),
        (encoded(picture(), "GIF")[:30], "damaged"),
        (b"\xff\xd8\xff" + bytes(100), "damaged"),
        (b"\xff\xd8\xff<html><script>alert(1)</script>", "damaged"),
        (b"GIF89a/*" + b"<script>alert(1)</script>", "damaged"),
        (b"RIFF\x00\x00\x00\x00WEBP" + bytes(100), "damaged"),
        (b"\x00\x00\x00\x18ftypavif" + bytes(100), "damaged"),
    ],
)
def test_create_renditions_oversized_or_damaged_file_is_422(tmp_path: Path, content: bytes, says: str) -> None:
    """Sizes beyond the limits, and truncated or fake images, are rejected with a clear message."""
    with pytest.raises(ImageError, match=says) as raised:
        made(tmp_path, content)
    assert raised.value.status == 422
    assert [file.name for file in tmp_path.iterdir()] == ["original"]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_create_renditions_animation_is_rejected(tmp_path: Path, kind: str) -> None:
    """An animation is rejected with the number of its frames."""
    frames = [Image.new("RGB", (60, 60), color) for color in ("red", "blue", "green")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(ImageError, match="animated") as raised:
        made(tmp_path, content)
    assert (raised.value.limit, raised.value.size) == (1, 3)


def test_create_renditions_mpo_uses_first_image(tmp_path: Path) -> None:
    """Of a JPEG with an appended second image, as phones write them, the first is used."""
    content = encoded(picture(), "MPO", save_all=True, append_images=[picture((100, 100))])
    assert (made(tmp_path, content).type, made(tmp_path, content).width) == ("image/jpeg", 800)


def test_decoder_over_memory_limit_is_rejected(tmp_path: Path) -> None:
    """The decoder process cannot exceed its memory limit: an image that needs more is rejected, without a crash."""
    program = (
        "import sys, services.ingest.media.renditions as r\n"
        "r.MEMORY_BYTES_MAX = 300_000_000\nsys.exit(r.main(*sys.argv[1:]))"
    )
    file = tmp_path / "original"
    side = int(PIXELS_MAX**0.5)
    file.write_bytes(encoded(Image.new("RGBA", (side, side)), "PNG", compress_level=1))
    command = [sys.executable, "-c", program, str(file), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert "memory" in json.loads(done.stdout)["error"]
