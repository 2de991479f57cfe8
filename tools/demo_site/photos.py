"""Generated pictures in the sizes of camera photos: land, sea and town. The same seed gives the same bytes."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDE = (1600, 1067)
TALL = (1067, 1600)
Colour = tuple[int, int, int]
Scene = Callable[[tuple[int, int], int], Image.Image]
SKIES: tuple[tuple[Colour, Colour], ...] = (
    ((92, 148, 196), (236, 226, 204)),  # morning
    ((60, 92, 150), (250, 190, 130)),  # evening
    ((128, 160, 180), (222, 228, 226)),  # overcast
)


def _sky(size: tuple[int, int], seed: int) -> Image.Image:
    width, height = size
    top, bottom = (np.array(colour, float) for colour in SKIES[seed % len(SKIES)])
    down = np.linspace(0, 1, height)[:, None, None] ** 0.8
    pixels = np.broadcast_to(top * (1 - down) + bottom * down, (height, width, 3)).copy()
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot(x - width * (0.25 + 0.5 * (seed % 7) / 7), y - height * 0.42) / height
    pixels += np.exp(-((away * 3.2) ** 2))[..., None] * (70, 50, 10)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _hills(image: Image.Image, seed: int, level: float, colour: Colour) -> None:
    width, height = image.size
    random = np.random.default_rng(seed)
    x = np.arange(width + 1)
    waves = [
        height * 0.05 / wave * np.sin(x / width * wave * 5 + random.uniform(0, 6)) for wave in (1.0, 2.2, 4.7, 11.0)
    ]
    line = np.sum(waves, axis=0)
    points = [(int(at), int(height * level + up)) for at, up in zip(x, line, strict=True)]
    ImageDraw.Draw(image).polygon([(0, height), *points, (width, height)], fill=colour)


WALLS: tuple[Colour, ...] = ((236, 214, 160), (226, 196, 170), (206, 216, 208), (240, 232, 214))
COATS: tuple[Colour, ...] = ((196, 52, 50), (40, 84, 132), (238, 190, 70), (74, 120, 84), (240, 236, 226))


def land(size: tuple[int, int], seed: int) -> Image.Image:
    """Rice fields before far hills."""
    image = _sky(size, seed)
    _hills(image, seed, 0.44, (120, 146, 160))
    _hills(image, seed + 1, 0.5, (84, 122, 96))
    width, height = size
    draw = ImageDraw.Draw(image)
    horizon = int(height * 0.56)
    draw.rectangle((0, horizon, width, height), fill=(104, 150, 62))
    for row in range(60):
        down = horizon + (height - horizon) * (row / 60) ** 2.1
        shade = (row * 37 + seed * 11) % 40
        draw.line((0, down, width, down), fill=(88 + shade, 138 + shade, 48 + shade // 2), width=1 + row // 5)
    for edge in range(-12, 13):
        draw.line(
            ((width / 2 + edge * width * 0.04, horizon), (width / 2 + edge * width * 0.4, height)), (70, 104, 44), 5
        )
    return image


def sea(size: tuple[int, int], seed: int) -> Image.Image:
    """Boats on the water."""
    image = _sky(size, seed)
    width, height = size
    horizon = int(height * 0.52)
    below = (width, height - horizon)
    mirrored = image.crop((0, 0, width, horizon)).transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize(below)
    image.paste(Image.blend(mirrored, Image.new("RGB", below, (24, 70, 96)), 0.5), (0, horizon))
    draw = ImageDraw.Draw(image)
    random = np.random.default_rng(seed)
    for _ in range(900):
        down = random.uniform(0, 1) ** 1.6
        x, y, long = random.uniform(0, width), horizon + down * (height - horizon), 8 + down * 90
        shade = (150, 190, 205) if random.uniform() > 0.5 else (30, 78, 104)
        draw.line((x, y, x + long, y), fill=shade, width=1 + int(down * 4))
    for boat in range(3):
        x, y, long = width * (0.2 + 0.27 * boat), height * (0.6 + 0.09 * ((boat * 2 + seed) % 3)), width * 0.13
        keel = ((x + long * 0.84, y + long * 0.2), (x + long * 0.14, y + long * 0.2))
        draw.polygon(((x, y), (x + long, y), *keel), (62, 44, 38))
        draw.rectangle((x + long * 0.3, y - long * 0.2, x + long * 0.62, y), fill=(168, 66, 48))
        draw.line((x + long * 0.74, y, x + long * 0.74, y - long * 0.62), fill=(50, 40, 36), width=6)
        flag = (x + long * 0.74, y - long * 0.62, x + long * 0.98, y - long * 0.46)
        draw.rectangle(flag, fill=(206, 36, 40))
    return image


def town(size: tuple[int, int], seed: int) -> Image.Image:
    """A street of houses with tiled roofs and people before them."""
    image = _sky(size, seed)
    width, height = size
    draw = ImageDraw.Draw(image)
    random = np.random.default_rng(seed)
    ground = int(height * 0.8)
    draw.rectangle((0, ground, width, height), fill=(176, 164, 146))
    x = -40.0
    while x < width:
        wide, tall = random.uniform(0.1, 0.2) * width, random.uniform(0.26, 0.44) * height
        wall = WALLS[random.integers(len(WALLS))]
        draw.rectangle((x, ground - tall, x + wide, ground), fill=wall)
        ridge = (x + wide * 0.5, ground - tall - wide * 0.34)
        draw.polygon(((x - 14, ground - tall), (x + wide + 14, ground - tall), ridge), (150, 66, 46))
        for window in range(2):
            left = x + wide * (0.18 + 0.4 * window)
            draw.rectangle((left, ground - tall * 0.78, left + wide * 0.22, ground - tall * 0.46), fill=(70, 96, 110))
        draw.rectangle((x + wide * 0.36, ground - tall * 0.36, x + wide * 0.62, ground), fill=(104, 70, 50))
        x += wide + 10
    for _ in range(26):
        left, down = random.uniform(0, width), random.uniform(0.84, 0.97) * height
        tall = (down - height * 0.7) * 0.62
        coat = COATS[random.integers(len(COATS))]
        draw.rounded_rectangle((left, down - tall * 0.7, left + tall * 0.34, down), tall * 0.12, fill=coat)
        draw.ellipse((left + tall * 0.06, down - tall, left + tall * 0.28, down - tall * 0.74), fill=(196, 148, 116))
    return image


def drawn(scene: Scene, size: tuple[int, int], seed: int) -> bytes:
    """Return a scene as JPEG, with a photo's soft edges and grain."""
    soft = scene(size, seed).filter(ImageFilter.GaussianBlur(1.2))
    grain = np.random.default_rng(seed).normal(0, 5, (size[1], size[0], 1))
    pixels = (np.asarray(soft, float) + grain).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=88)
    return file.getvalue()
