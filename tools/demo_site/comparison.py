"""Pages of release 0.2.0 and of now beside each other, in one picture."""

import io
import subprocess
from collections.abc import Mapping

from PIL import Image, ImageDraw

BEFORE = "019a5a5"
"""The commit that took the pictures of release 0.2.0, of the same sample portal in the same size."""
SHARE = 0.55
GAP = 16
LABELS = ("0.2.0", "now")


def before(name: str) -> Image.Image:
    """Return a picture of docs/images as it was."""
    command = ["git", "show", f"{BEFORE}:docs/images/{name}.webp"]
    return Image.open(io.BytesIO(subprocess.run(command, check=True, capture_output=True).stdout))


def compared(now: Mapping[str, Image.Image]) -> Image.Image:
    """Return each picture of now, by its name, right of what it was; one row for each."""
    rows = [(before(name), picture) for name, picture in now.items()]
    width, height = (round(side * SHARE) for side in rows[0][1].size)
    joined = Image.new("RGB", (2 * width + GAP, len(rows) * (height + GAP) + GAP), "white")
    draw = ImageDraw.Draw(joined)
    for column, label in enumerate(LABELS):
        draw.text((column * (width + GAP), 2), label, fill="black")
    for row, pair in enumerate(rows):
        for column, picture in enumerate(pair):
            place = (column * (width + GAP), GAP + row * (height + GAP))
            joined.paste(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), place)
    return joined
