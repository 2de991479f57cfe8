"""The renditions from which a browser may choose."""

from services.render.pages.srcset import fallback_image, srcset
from shared.articles import Crop, Image, Rendition

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


def test_srcset_of_a_crop_has_its_own_renditions() -> None:
    """A crop is offered as an image is: its renditions by type, and itself."""
    crop = Crop("16:9", "/media/c.jpg", 1280, 720, [Rendition("/media/c.avif", 1280, 720, "image/avif")])
    small = Crop("3:2", "/media/d.jpg", 960, 640, [Rendition("/media/e.jpg", 320, 213)])
    assert srcset(crop, "image/avif") == "/media/c.avif 1280w"
    assert (srcset(small), srcset(small, widest=640)) == ("/media/e.jpg 320w, /media/d.jpg 960w", "/media/e.jpg 320w")
    assert (fallback_image(crop, 640), fallback_image(small, 640)) == ("/media/c.jpg", "/media/e.jpg")
