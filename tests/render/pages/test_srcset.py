"""The renditions from which a browser may choose."""

from services.render.pages.srcset import fallback_image, srcset
from shared.articles import Image, Rendition

RENDITIONS = [
    Rendition(f"/media/{width}.{kind}", width, width, f"image/{kind}")
    for width in (960, 320)
    for kind in ("avif", "webp", "jpeg")
]
IMAGE = Image("/media/full.jpg", "", 1280, 1280, renditions=RENDITIONS)


def test_srcset_of_a_modern_type_has_its_renditions_by_width() -> None:
    """A modern type has its own renditions only, the smallest first."""
    assert srcset(IMAGE, "image/avif") == "/media/320.avif 320w, /media/960.avif 960w"


def test_srcset_without_type_has_what_any_browser_shows_and_the_image() -> None:
    """JPEG renditions and the full image are offered to every browser."""
    assert srcset(IMAGE) == "/media/320.jpeg 320w, /media/960.jpeg 960w, /media/full.jpg 1280w"


def test_srcset_leaves_out_what_is_wider_than_wanted() -> None:
    """An image that is shown small has no wide rendition, and no full size."""
    assert srcset(IMAGE, widest=400) == "/media/320.jpeg 320w"
    assert srcset(IMAGE, "image/webp", widest=100) == ""


def test_srcset_without_renditions_is_empty() -> None:
    """A single image needs no choice, and one of unknown width is not offered."""
    assert srcset(Image("/media/a.jpg", "", 1280, 853)) == ""
    assert srcset(Image("/media/a.jpg", "", renditions=RENDITIONS)).count(",") == 1


def test_fallback_image_is_the_widest_that_fits() -> None:
    """A browser without srcset gets the widest fitting JPEG, or else the image itself."""
    assert fallback_image(IMAGE, 1_000) == "/media/960.jpeg"
    assert fallback_image(IMAGE, 959) == "/media/320.jpeg"
    assert fallback_image(IMAGE, 100) == "/media/full.jpg"
