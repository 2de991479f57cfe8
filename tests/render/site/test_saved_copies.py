"""`/ban-luu/…`: who gets an article as a file, and what it is made of."""

import gzip
import re
from typing import Any

import obstore
import pytest

from services.render.pages.document import Document
from services.render.site import saved_copies
from shared.articles import Article, Figure, Image, Paragraph, Rendition
from shared.object_store import PUBLIC, open_store
from tests.render.conftest import URL

NAMES = [f"{one * 32}.{kind}" for one, kind in (("a", "webp"), ("b", "jpg"), ("c", "avif"))]
PATHS = [f"/media/{name}" for name in NAMES]
RENDITIONS = [
    Rendition(PATHS[0], 960, 640, "image/webp"),
    Rendition(PATHS[1], 960, 640, "image/jpeg"),
    Rendition(PATHS[2], 960, 640, "image/avif"),
]
IMAGE = Image(f"/media/{'d' * 32}.jpg", "Chợ “phiên”", 4000, 3000, renditions=RENDITIONS)
COPY = "/ban-luu/bai-so-1-1.html"


async def with_picture(portal: Any, **fields: Any) -> Article:
    await obstore.put_async(open_store(portal.media), PUBLIC + NAMES[0], b"RIFF picture")
    body = [Paragraph('<a href="/tag/muoi/">thẻ</a> <a href="//other.example/">khác</a>')]
    made: Article = await portal.add(1, lead_image=Figure("Chợ", IMAGE), body=body, **fields)
    return made


async def test_copy_has_its_pictures_inside(portal: Any) -> None:
    """A copy is an attachment named as the article, with the smallest fitting picture and absolute links."""
    await with_picture(portal)
    assert f'<a href="{COPY}" download="bai-so-1.html"' in (await portal.get("/bai-so-1-1.html")).text
    got = await portal.get(COPY)
    assert got.status == 200
    assert got.headers["content-disposition"].startswith('attachment; filename="bai-so-1.html"')
    assert got.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; sandbox"
    )
    assert 'src="data:image/webp;base64,UklGRiBwaWN0dXJl"' in got.text
    assert f'<a href="{URL}/tag/muoi/">thẻ</a> <a href="//other.example/">khác</a>' in got.text
    assert not re.search(r'(?:src|href)="/(?!/)', got.text)
    assert "url(" not in got.text.replace("url(data:", "").replace('url("data:', "")


async def test_copy_is_revalidated_and_compressed(portal: Any) -> None:
    """A browser that has the copy gets 304, and a compressed copy has the same bytes."""
    await with_picture(portal)
    plain, zipped = await portal.get(COPY), await portal.get(COPY, accept_encoding="gzip")
    assert gzip.decompress(zipped.body) == plain.body
    assert plain.headers["etag"] != zipped.headers["etag"]
    assert (await portal.get(COPY, if_none_match=plain.headers["etag"])).status == 304
    await portal.change(1, title="Tựa khác")
    assert (await portal.get(COPY, if_none_match=plain.headers["etag"])).status == 200


async def test_copy_of_lost_picture_links_to_the_article(portal: Any) -> None:
    """In place of a picture that the store lacks there is a link with its description."""
    await portal.add(1, lead_image=Figure("Chợ", IMAGE))
    text = (await portal.get(COPY)).text
    assert f'<a href="{URL}/bai-so-1-1.html">Chợ “phiên”</a>' in text
    assert '<meta name="presstally:copy" content="">' in text  # so a static export tries again


async def test_copy_follows_its_article(portal: Any) -> None:
    """Another slug redirects, what may not be printed or is unknown is 404, and a withdrawn article's copy is gone."""
    await with_picture(portal)
    moved = await portal.get("/ban-luu/ten-cu-1.html")
    assert (moved.status, moved.headers["location"]) == (301, COPY)
    assert [(await portal.get(path)).status for path in ("/ban-luu/x-2.html", "/ban-luu/x")] == [404, 404]
    await portal.change(1, allow_print=False)
    assert (await portal.get(COPY)).status == 404
    assert COPY not in (await portal.get("/bai-so-1-1.html")).text
    await portal.change(1, state="killed")
    assert (await portal.get(COPY)).status == 410


async def test_copy_counts_each_place_of_a_picture(portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that is shown again and again makes a copy as large as several do: then it is a link each time."""
    monkeypatch.setattr(saved_copies, "PICTURE_BYTES_MAX", 3 * len(b"RIFF picture"))
    await with_picture(portal)
    assert (await portal.get(COPY)).text.count("data:image/webp") == 1
    await portal.change(1, body=[Figure(f"Chợ {number}", IMAGE) for number in range(3)])
    text = (await portal.get(COPY)).text
    assert (text.count("data:image/webp"), text.count(f'<a href="{URL}/bai-so-1-1.html">Chợ “phiên”</a>')) == (0, 4)


@pytest.mark.parametrize(("times", "is_inside"), [(1, True), (3, True), (4, False)])
async def test_export_counts_each_place_of_a_picture_that_it_has(
    portal: Any, monkeypatch: pytest.MonkeyPatch, times: int, is_inside: bool
) -> None:
    """A static export, which has the picture in its folder, makes the copy that the server makes."""
    content = b"RIFF picture"
    monkeypatch.setattr(saved_copies, "PICTURE_BYTES_MAX", 3 * len(content))
    page = Document(f'<img src="{PATHS[0]}" alt="Chợ">'.encode() * times)
    stored = open_store(portal.media)
    in_folder = await saved_copies.read_pictures(page, portal.site, stored, lambda _: content)
    await obstore.put_async(stored, PUBLIC + NAMES[0], content)
    assert in_folder == await saved_copies.read_pictures(page, portal.site, stored)
    assert in_folder == ({PATHS[0]: content} if is_inside else {})
