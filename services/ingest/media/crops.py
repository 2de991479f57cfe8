"""The geometry of crops: which part of an image each ratio shows around the focus point, and in which sizes. Pure."""

from shared.articles import CROP_RATIOS, CROP_WIDTHS, Focus

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels; right and bottom are outside."""


def crop_box(width: int, height: int, ratio: str, focus: Focus) -> Box:
    """Return the largest part of an image that has a ratio, with the focus point as near its centre as possible.

    It is inside the image, and as wide or as high as the image. Of an image of a few pixels it is at least one of them.
    """
    across, down = CROP_RATIOS[ratio]
    if width * down <= height * across:
        part_width, part_height = width, min(height, max(1, round(width * down / across)))
    else:
        part_width, part_height = min(width, max(1, round(height * across / down))), height
    left = _begin(width, part_width, focus.x)
    top = _begin(height, part_height, focus.y)
    return left, top, left + part_width, top + part_height


def _begin(whole: int, part: int, focus: float) -> int:
    return min(max(round(whole * focus - part / 2), 0), whole - part)


def crop_sizes(box: Box, ratio: str) -> list[tuple[int, int]]:
    """Return the sizes in which a part of an image is offered, widest first. None is wider than the part."""
    across, down = CROP_RATIOS[ratio]
    part = box[2] - box[0]
    widest = min(part, CROP_WIDTHS[ratio][-1])
    widths = [widest, *(one for one in reversed(CROP_WIDTHS[ratio]) if one < widest)]
    return [(one, max(1, round(one * down / across))) for one in widths]


def scale_for_crops(width: int, height: int) -> float:
    """Return the least scale, at most 1, at which an image still has the pixels of its widest crops."""
    needed = []
    for ratio, widths in CROP_WIDTHS.items():
        left, _, right, _ = crop_box(width, height, ratio, Focus())
        needed.append(min(1.0, widths[-1] / (right - left)))
    return max(needed)
