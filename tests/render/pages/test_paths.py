"""Paths of lists and their pages, and the renditions that an image offers."""

from services.render.pages.paths import month_path, page_path, section_path, tag_path
from services.render.pages.srcset import fallback_image, srcset
from shared.articles import Image, Rendition

RENDITIONS = [
    Rendition("/media/s.webp", 320, 240, "image/webp"),
    Rendition("/media/s.jpg", 320, 240, "image/jpeg"),
    Rendition("/media/m.jpg", 640, 480, "image/jpeg"),
]
IMAGE = Image("/media/l.jpg", "Alt", 1280, 960, renditions=RENDITIONS)


def test_paths_of_lists_and_their_pages() -> None:
    """Each list has a path; its further pages are files, and those of a search are another parameter."""
    assert (section_path("tin"), tag_path("Chợ phiên"), month_path(2026, 3)) == (
        "/tin/",
        "/tag/cho-phien/",
        "/luu-tru/2026/03/",
    )
    assert [page_path("/tin/", number) for number in (1, 2)] == ["/tin/", "/tin/trang-2.html"]
    assert page_path("/tim-kiem?q=x", 3) == "/tim-kiem?q=x&trang=3"


def test_srcset_offers_renditions_of_one_type_in_order() -> None:
    """Without a type the image itself is offered too; wider ones than asked for are left out."""
    assert srcset(IMAGE) == "/media/s.jpg 320w, /media/m.jpg 640w, /media/l.jpg 1280w"
    assert srcset(IMAGE, "image/webp") == "/media/s.webp 320w"
    assert srcset(IMAGE, "image/avif") == ""
    assert srcset(IMAGE, widest=400) == "/media/s.jpg 320w"


def test_fallback_image_is_the_widest_that_fits() -> None:
    """A browser without srcset gets the widest fitting JPEG, or the image itself if none fits."""
    assert [fallback_image(IMAGE, widest) for widest in (100, 400, 2_000)] == [
        "/media/l.jpg",
        "/media/s.jpg",
        "/media/m.jpg",
    ]
