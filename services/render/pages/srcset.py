"""An image → the renditions from which a browser may choose. Pure."""

from shared.articles import Crop, Image

MODERN = ("image/avif", "image/webp")
WIDEST = 20_000


def srcset(image: Image | Crop, kind: str = "", widest: int = WIDEST) -> str:
    """Return the `srcset` of the image's renditions of a media type; "" if there is none.

    Args:
        image: An image of the article, or a crop of it.
        kind: A media type; without one, the image itself and the renditions that any browser shows.
        widest: Wider renditions are left out, in pixels: for images that are shown small.
    """
    offered = {
        one.width: one.url
        for one in image.renditions
        if one.width <= widest and (one.type == kind if kind else one.type not in MODERN)
    }
    if offered and not kind and image.width is not None and image.width <= widest:
        offered[image.width] = image.url
    return ", ".join([f"{offered[width]} {width}w" for width in sorted(offered)])


def fallback_image(image: Image | Crop, widest: int) -> str:
    """Return the URL of the widest rendition up to `widest` that any browser shows; else of the image itself."""
    fitting = [(one.width, one.url) for one in image.renditions if one.type not in MODERN and one.width <= widest]
    return max(fitting)[1] if fitting else image.url
