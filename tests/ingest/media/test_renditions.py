"""Images that strangers send, and what readers get of them."""

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

from services.ingest.media.renditions import PIXELS_MAX, ImageError, make, type_of
from shared.articles import IMAGE_WIDTHS

ROOT = Path(__file__).parent.parent.parent.parent


def picture(size: tuple[int, int] = (800, 500), mode: str = "RGB") -> Image.Image:
    """A picture whose left upper quarter is red, the rest blue."""
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
    return make(file, folder)


def camera_data(orientation: int) -> bytes:
    """What a telephone writes: how it was held, who made it, and where."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "TELEPHONE-MAKER"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (20.0, 11.0, 12.0)
    return exif.tobytes()


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says it has a size, whatever its data are."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_as_it_was_taken(tmp_path: Path, orientation: int) -> None:
    """Each way to hold the camera gives the same upright copies, without metadata."""
    upright = picture((400, 200))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    held = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    result = made(tmp_path, encoded(held, exif=camera_data(orientation), quality=95, comment=b"SECRET-COMMENT"))
    assert (result.width, result.height) == (400, 200)
    for copy in result.copies:
        content = (tmp_path / copy.name).read_bytes()
        for secret in (b"TELEPHONE", b"SECRET", b"Exif"):
            assert secret not in content
        with Image.open(io.BytesIO(content)) as opened:
            assert (opened.size, dict(opened.getexif())) == ((copy.width, copy.height), {})
            colors = opened.convert("RGB")
        red, _, blue = colors.getpixel((10, 10))
        assert (red > 200, blue < 60) == (True, True), copy
        for corner in ((copy.width - 10, 10), (10, copy.height - 10)):
            red, _, blue = colors.getpixel(corner)
            assert (blue > 200, red < 60) == (True, True), copy


def test_copies_have_the_allowed_widths_in_three_formats(tmp_path: Path) -> None:
    """A wide picture is offered in each allowed width as JPEG, WebP and AVIF; a small one is never enlarged."""
    wide = made(tmp_path, encoded(picture((2_400, 1_500))))
    formats = {"image/jpeg", "image/webp", "image/avif"}
    assert {(one.width, one.type) for one in wide.copies} == {(w, kind) for w in IMAGE_WIDTHS for kind in formats}
    assert (wide.copies[0].width, wide.copies[0].height, wide.copies[0].type) == (1_600, 1_000, "image/jpeg")
    small = made(tmp_path, encoded(picture((200, 100)), "PNG"))
    assert {(one.width, one.type) for one in small.copies} == {(200, kind) for kind in formats}


def test_a_name_is_its_content(tmp_path: Path) -> None:
    """The same pixels have the same names, other pixels have others."""
    first, again = (made(tmp_path, encoded(picture(), "PNG")) for _ in range(2))
    assert first == again
    other = made(tmp_path, encoded(picture((800, 501)), "PNG"))
    assert not {one.name for one in first.copies} & {one.name for one in other.copies}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "F"])
def test_every_kind_of_pixel_is_taken(tmp_path: Path, mode: str) -> None:
    """Grey, palettes, transparency, print colours and deep greys become copies."""
    kind = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    image = picture().convert("L").convert("I;16") if mode == "I;16" else picture(mode=mode)
    content = encoded(image, kind)
    if kind == "TIFF":
        with pytest.raises(ImageError, match="TIFF"):
            made(tmp_path, content)
        return
    assert made(tmp_path, content).copies[0].width == 800


def test_colours_of_a_profile_become_srgb(tmp_path: Path) -> None:
    """A profile is applied and then gone; a broken one is passed over."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for one in (profile, b"no profile at all"):
        for copy in made(tmp_path, encoded(picture(), icc_profile=one)).copies:
            assert b"no profile" not in (tmp_path / copy.name).read_bytes()
            with Image.open(tmp_path / copy.name) as opened:
                assert "icc_profile" not in opened.info


def test_nothing_travels_behind_the_picture(tmp_path: Path) -> None:
    """A file that is an image and an archive and a page as well loses all but its pixels."""
    behind = b"PK\x03\x04<html><script>alert(1)</script>"
    for kind in ("JPEG", "PNG", "GIF", "WEBP"):
        result = made(tmp_path, encoded(picture(), kind) + behind)
        for copy in result.copies:
            content = (tmp_path / copy.name).read_bytes()
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
        (b"", "no image"),
        (b"JPEG", "no image"),
        (bytes(5_000), "no image"),
    ],
)
def test_other_files_are_named_and_refused(content: bytes, says: str) -> None:
    """What is no image is refused by what it looks like, whatever its name says."""
    with pytest.raises(ImageError, match=says) as refused:
        type_of(content[:1_024])
    assert refused.value.status == 415


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (png(100_000, 100_000), "pixels"),
        (png(16_384, 10), "longest side"),
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
def test_bombs_and_damaged_files_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """Sizes beyond the limits, and files that are cut off or only begin like an image, get a clear refusal."""
    with pytest.raises(ImageError, match=says) as refused:
        made(tmp_path, content)
    assert refused.value.status == 422
    assert [file.name for file in tmp_path.iterdir()] == ["original"]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_are_refused(tmp_path: Path, kind: str) -> None:
    """A picture that moves is refused with the number of its frames."""
    frames = [Image.new("RGB", (60, 60), color) for color in ("red", "blue", "green")]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    with pytest.raises(ImageError, match="animated") as refused:
        made(tmp_path, content)
    assert (refused.value.limit, refused.value.size) == (1, 3)


def test_a_second_picture_of_a_telephone_is_no_animation(tmp_path: Path) -> None:
    """A JPEG with a second picture behind it, as telephones write them, is its first picture."""
    content = encoded(picture(), "MPO", save_all=True, append_images=[picture((100, 100))])
    assert (made(tmp_path, content).type, made(tmp_path, content).width) == ("image/jpeg", 800)


def test_the_decoder_has_a_bound_on_memory(tmp_path: Path) -> None:
    """The process that decodes can take no more than its bound: what needs more is a refusal, not a crash."""
    program = (
        "import sys, services.ingest.media.renditions as r\n"
        "r.MEMORY_BYTES_MAX = 300_000_000\nsys.exit(r.main(*sys.argv[1:]))"
    )
    file = tmp_path / "original"
    side = int(PIXELS_MAX**0.5)
    file.write_bytes(encoded(Image.new("RGBA", (side, side)), "PNG", compress_level=1))
    command = [sys.executable, "-c", program, str(file), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert "memory" in json.loads(done.stdout)["fault"]
