"""Addresses in imported markup."""

import pytest

from services.ingest.imports.markup.addresses import is_usable_picture, picture_address, resolve, video_address, widest


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("a.jpg", "https://cu.example/tin/a.jpg"),
        ("/a b.jpg", "https://cu.example/a%20b.jpg"),
        ("//cdn.example/a.jpg", "https://cdn.example/a.jpg"),
        ("..\\anh\\a.jpg", "https://cu.example/anh/a.jpg"),
        ("https://k.example/a\n.jpg", "https://k.example/a.jpg"),
        ("mailto:lan@cu.example", "mailto:lan@cu.example"),
        ("/media/0123456789abcdef0123456789abcdef.webp", "/media/0123456789abcdef0123456789abcdef.webp"),
        ("http://[bad", "http://[bad"),
        ("", ""),
    ],
)
def test_resolve_makes_addresses_absolute(url: str, expected: str) -> None:
    """Relative addresses are resolved, blanks are encoded, and files of the media store are left alone."""
    assert resolve("https://cu.example/tin/", url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/embed/videoseries?list=x",
        "https://www.youtube.com/@kenh",
        "https://www.youtube.com/watch?list=abc",
        "https://youtube.com.xau.example/embed/dQw4w9WgXcQ",
        "https://vimeo.com/kenh/about",
        "",
    ],
)
def test_video_address_of_other_pages_is_empty(url: str) -> None:
    """Playlists, channels and other hosts are no videos."""
    assert video_address(url) == ""


def test_widest_returns_the_largest_candidate() -> None:
    """The widest or densest candidate of a srcset wins, also with commas in addresses."""
    assert widest("/a.jpg 1x, /b.jpg 2x") == "/b.jpg"
    assert widest("https://c.example/w_1,h_2/a.jpg 100w, https://c.example/w_9,h_2/b.jpg 900w").endswith("b.jpg")
    assert widest("") == ""


def test_picture_address_prefers_what_scripts_would_show() -> None:
    """A placeholder gives way to the address for scripts; a picture with both keeps the real one."""
    assert picture_address({"src": "/a.jpg", "srcset": "/b.jpg 2x"}, "") == "/a.jpg"
    assert picture_address({"src": "/blank.gif", "srcset": "/b.jpg 2x"}, "") == "/b.jpg"
    assert picture_address({"src": "/loading-hang.jpg"}, "") == "/loading-hang.jpg"
    assert picture_address({"src": "data:image/png;base64,x"}, "") == "data:image/png;base64,x"


@pytest.mark.parametrize("url", ["/uploads/a.jpg", "/media/a.jpg", "ftp://cu.example/a.jpg", "data:image/png,x", ""])
def test_is_usable_picture_needs_a_host_or_the_media_store(url: str) -> None:
    """A path of an unknown portal and other schemes are no addresses of pictures."""
    assert not is_usable_picture(url)
