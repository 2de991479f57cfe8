"""The geometry of crops over all sizes and focus points, and the pixels of the files that are cut."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from services.ingest.media.crops import crop_box, crop_sizes, scale_for_crops
from services.ingest.media.renditions import create_renditions
from shared.articles import CROP_RATIOS, CROP_WIDTHS, Focus

EXAMPLES = int(os.environ.get("CROP_EXAMPLES", "150"))
SIDES = some.integers(1, 16_383)
FRACTIONS = some.floats(0, 1)


@settings(max_examples=EXAMPLES)
@given(SIDES, SIDES, FRACTIONS, FRACTIONS, some.sampled_from(sorted(CROP_RATIOS)))
def test_crop_box_is_inside_and_keeps_the_focus_point_near_its_centre(
    width: int, height: int, x: float, y: float, ratio: str
) -> None:
    """A crop is inside the image, as large as possible, has its ratio, and no other position is nearer to the focus."""
    left, top, right, bottom = crop_box(width, height, ratio, Focus(x, y))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    part_width, part_height = right - left, bottom - top
    assert part_width == width or part_height == height
    across, down = CROP_RATIOS[ratio]
    assert abs(part_width * down - part_height * across) <= max(across, down)
    for begin, part, whole, focus in ((left, part_width, width, x), (top, part_height, height, y)):
        assert begin <= round(whole * focus) <= begin + part
        distance = abs(begin + part / 2 - whole * focus)
        for other in (begin - 1, begin + 1):
            if 0 <= other <= whole - part:
                assert distance <= abs(other + part / 2 - whole * focus) + 1e-6


@settings(max_examples=EXAMPLES)
@given(SIDES, SIDES, some.sampled_from(sorted(CROP_RATIOS)))
def test_crop_sizes_never_enlarge_the_image(width: int, height: int, ratio: str) -> None:
    """No crop is wider than the part of the image that it shows, and the scale that decodes it has all its pixels."""
    box = crop_box(width, height, ratio, Focus())
    sizes = crop_sizes(box, ratio)
    widths = [one for one, _ in sizes]
    assert widths == sorted(set(widths), reverse=True)
    assert all(1 <= one <= box[2] - box[0] for one in widths)
    assert all(one[1] >= 1 for one in sizes)
    assert set(widths[1:]) <= set(CROP_WIDTHS[ratio])
    scale = scale_for_crops(width, height)
    assert 0 < scale <= 1
    assert round((box[2] - box[0]) * scale) + 1 >= widths[0]


def marked(size: tuple[int, int], focus: Focus) -> bytes:
    """Return a blue image with a red spot at a focus point."""
    image = Image.new("RGB", size, "blue")
    radius = max(1, min(size) // 10)
    x, y = focus.x * size[0], focus.y * size[1]
    image.paste("red", (int(x - radius), int(y - radius), int(x + radius), int(y + radius)))
    output = io.BytesIO()
    image.save(output, "PNG")
    return output.getvalue()


@pytest.mark.parametrize("size", [(600, 450), (450, 600), (1_500, 150), (100, 750), (90, 60)])
@pytest.mark.parametrize("focus", [Focus(), Focus(0.05, 0.05), Focus(0.95, 0.5), Focus(0.5, 1), Focus(0.3, 0.8)])
def test_crop_shows_the_pixels_at_the_focus_point(tmp_path: Path, size: tuple[int, int], focus: Focus) -> None:
    """Each file of each crop has the spot at the focus point, in the size that its record says."""
    file = tmp_path / "original"
    file.write_bytes(marked(size, focus))
    result = create_renditions(file, tmp_path, focus, only_crops=True)
    assert result.renditions == []
    assert {one.ratio for one in result.crops} == set(CROP_RATIOS)
    for one in result.crops:
        with Image.open(tmp_path / one.name) as opened:
            assert opened.size == (one.width, one.height)
            assert one.width <= size[0]
            pixels = opened.convert("RGB")
        box = crop_box(*size, one.ratio, focus)
        scale = one.width / (box[2] - box[0])
        spot = [
            min(max(int((at * side - begin) * scale), 0), extent - 1)
            for at, side, begin, extent in (
                (focus.x, size[0], box[0], one.width),
                (focus.y, size[1], box[1], one.height),
            )
        ]
        red, _, blue = pixels.getpixel((spot[0], spot[1]))
        assert (red > 150, blue < 110) == (True, True), (one, spot, red, blue)


def test_crops_of_a_panorama_have_the_pixels_of_the_original(tmp_path: Path) -> None:
    """The crops of a panorama are cut before it is scaled to the width of renditions."""
    file = tmp_path / "original"
    file.write_bytes(marked((6_000, 900), Focus()))
    result = create_renditions(file, tmp_path)
    assert (result.renditions[0].width, result.renditions[0].height) == (1_600, 240)
    widest = {one.ratio: (one.width, one.height) for one in reversed(result.crops)}
    assert widest == {"16:9": (1_600, 900), "3:2": (960, 640), "1:1": (900, 900)}


def test_focus_point_is_that_of_the_upright_image(tmp_path: Path) -> None:
    """The focus point refers to the image as it is shown, after its EXIF orientation was applied."""
    upright = Image.open(io.BytesIO(marked((600, 1_200), Focus(0.5, 0.9))))
    exif = Image.Exif()
    exif[0x0112] = 6
    file = tmp_path / "original"
    upright.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif.tobytes())
    result = create_renditions(file, tmp_path, Focus(0.5, 0.9), only_crops=True)
    square = next(one for one in result.crops if one.ratio == "1:1")
    with Image.open(tmp_path / square.name) as opened:
        red, _, blue = opened.convert("RGB").getpixel((300, 480))
    assert (red > 150, blue < 110) == (True, True)


def test_crops_have_names_of_their_own_for_each_focus_point(tmp_path: Path) -> None:
    """Another focus point has other names, so that no cache shows a former crop; the same one has the same names."""
    file = tmp_path / "original"
    with Image.effect_noise((400, 300), 80) as noise:
        noise.save(file, "PNG")
    first, again, other = (
        {
            one.name
            for one in create_renditions(file, tmp_path, Focus(x, 0.5), only_crops=True).crops
            if one.ratio == "1:1"
        }
        for x in (0.2, 0.2, 0.8)
    )
    assert first == again
    assert not first & other


SIZE = (300, 200)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    output = io.BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def with_palette() -> Image.Image:
    """Return an image of the second colour of its palette, which is red."""
    image = Image.new("P", SIZE, 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    return image


def deep_png(color_type: int, *samples: int) -> bytes:
    """Return a PNG of one colour with 16 bits a sample."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    width, height = SIZE
    row = b"\0" + struct.pack(f">{len(samples)}H", *samples) * width
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")


GREY, RED = (128, 128, 128), (255, 0, 0)
Sample = tuple[bytes, Focus, tuple[int, int, int], tuple[int, int]]
"""A file, a focus point, the colour there, and the size of its widest 16:9 crop."""
ODD: dict[str, Sample] = {
    "16 bits of grey": (deep_png(0, 0x8080), Focus(), GREY, (300, 169)),
    "16 bits of black": (deep_png(0, 0x00FF), Focus(1, 1), (1, 1, 1), (300, 169)),
    "16 bits of white": (deep_png(0, 0xFFFF), Focus(0, 0), (255, 255, 255), (300, 169)),
    "16 bits of colours": (deep_png(2, 0xFFFF, 0, 0), Focus(), RED, (300, 169)),
    "16 bits of grey and alpha": (deep_png(4, 0, 0x8080), Focus(), (127, 127, 127), (300, 169)),
    "16 bits of colours and alpha": (deep_png(6, 0xFFFF, 0, 0, 0xFFFF), Focus(), RED, (300, 169)),
    "one bit": (saved(Image.new("1", SIZE, 1)), Focus(), (255, 255, 255), (300, 169)),
    "CMYK": (saved(Image.new("CMYK", SIZE, (0, 255, 255, 0)), "JPEG"), Focus(0, 1), RED, (300, 169)),
    "all transparent": (saved(Image.new("RGBA", SIZE, (255, 0, 0, 0))), Focus(), (255, 255, 255), (300, 169)),
    "half transparent": (saved(Image.new("RGBA", SIZE, (0, 0, 0, 128))), Focus(), (127, 127, 127), (300, 169)),
    "a transparent palette": (saved(with_palette(), transparency=1), Focus(), (255, 255, 255), (300, 169)),
    "a transparent GIF": (saved(Image.new("P", SIZE, 3), "GIF", transparency=3), Focus(), (255, 255, 255), (300, 169)),
    "one pixel": (saved(Image.new("RGB", (1, 1), RED)), Focus(1, 1), RED, (1, 1)),
    "two pixels": (saved(Image.new("RGB", (2, 1), RED)), Focus(1, 0), RED, (2, 1)),
    "a column": (saved(Image.new("RGB", (1, 500), RED)), Focus(0, 1), RED, (1, 1)),
    "a line": (saved(Image.new("RGB", (16_383, 1), RED)), Focus(1, 1), RED, (2, 1)),
    "a ribbon": (saved(Image.new("RGB", (16_000, 20), RED)), Focus(1, 0), RED, (36, 20)),
    "a tower": (saved(Image.new("RGB", (20, 16_000), RED)), Focus(0, 1), RED, (20, 11)),
    "a large image": (saved(Image.new("RGB", (8_000, 6_000), RED), "JPEG"), Focus(0, 0), RED, (1_600, 900)),
    "greys of a WebP": (saved(Image.new("L", SIZE, 128), "WEBP", lossless=True), Focus(), GREY, (300, 169)),
    "AVIF": (saved(Image.new("RGB", SIZE, RED), "AVIF"), Focus(0.5, 0), RED, (300, 169)),
}


@pytest.mark.parametrize("name", ODD)
def test_crops_of_an_odd_image_have_its_colours_and_size(tmp_path: Path, name: str) -> None:
    """Whatever its depth, mode, transparency and shape, each crop shows the image in its own colours."""
    content, focus, color, size = ODD[name]
    file = tmp_path / "original"
    file.write_bytes(content)
    result = create_renditions(file, tmp_path, focus)
    widest = next(one for one in result.crops if one.ratio == "16:9")
    assert (widest.width, widest.height) == size
    for one in (*result.crops, *result.renditions):
        with Image.open(tmp_path / one.name) as opened:
            assert opened.size == (one.width, one.height)
            pixels = opened.convert("RGBA")
        shown = Image.new("RGBA", pixels.size, "white")
        shown.alpha_composite(pixels)
        found: Any = shown.getpixel((pixels.width // 2, pixels.height // 2))
        assert all(abs(is_shown - wanted) <= 4 for is_shown, wanted in zip(found, color, strict=False)), (one, found)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("corner", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_focus_point_in_a_corner_is_that_of_the_turned_image(
    tmp_path: Path, orientation: int, corner: tuple[int, int]
) -> None:
    """In every EXIF orientation the crops begin at the corner that the focus point names in the upright image."""
    turned = orientation >= 5
    wide, high = (80, 400) if turned else (400, 80)
    upright = Image.new("RGB", (wide, high), "blue")
    upright.paste("red", (corner[0] * (wide - 20), corner[1] * (high - 20), corner[0] * (wide - 20) + 20, high))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright.transpose(BACK[orientation]) if orientation in BACK else upright
    file = tmp_path / "original"
    file.write_bytes(saved(stored, "JPEG", quality=95, exif=exif))
    result = create_renditions(file, tmp_path, Focus(*corner))
    assert (result.width, result.height) == (wide, high)
    square = next(one for one in result.crops if one.ratio == "1:1")
    with Image.open(tmp_path / square.name) as opened:
        at = (corner[0] * (square.width - 1), corner[1] * (square.height - 1))
        red, _, blue = opened.convert("RGB").getpixel(at)  # type: ignore[misc]
    assert red > 150 > blue


BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What a camera that was held so has stored of an upright picture."""
