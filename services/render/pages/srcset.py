"""An image → which of its copies a browser may choose from. Pure."""

from shared.articles import Image

MODERN = ("image/avif", "image/webp")
WIDEST = 20_000


def srcset(image: Image, kind: str = "", widest: int = WIDEST) -> str:
    """Return the image's copies of a media type, for browsers to choose from; "" if there is no choice.

    Args:
        image: Of the article.
        kind: A media type; without one, itself and the copies that any browser shows.
        widest: Where it is shown small, wider copies are not offered, in pixels.
    """
    of_kind = [one for one in image.renditions if one.type == kind or (not kind and one.type not in MODERN)]
    offered = {one.width: one.url for one in of_kind if one.width <= widest}
    if offered and not kind and image.width is not None and image.width <= widest:
        offered[image.width] = image.url
    return ", ".join(f"{url} {width}w" for width, url in sorted(offered.items()))


def plain_copy(image: Image, widest: int) -> str:
    """Return the address of the widest copy that any browser shows and that is not wider; else of the image itself."""
    fitting = [(one.width, one.url) for one in image.renditions if one.type not in MODERN and one.width <= widest]
    return max(fitting)[1] if fitting else image.url
