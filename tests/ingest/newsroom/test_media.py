"""Pictures and documents by plain forms."""

import html
import io
from typing import Any

from PIL import Image

from tests.ingest.newsroom.conftest import Pages
from tests.ingest.newsroom.test_article import write

BOUNDARY = "grenze"


def picture(color: tuple[int, int, int]) -> bytes:
    output = io.BytesIO()
    Image.new("RGB", (640, 400), color).save(output, "PNG")
    return output.getvalue()


def multipart(csrf: str, files: list[tuple[str, str, bytes]]) -> bytes:
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{csrf}\r\n'.encode()]
    for name, kind, content in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


async def test_several_pictures_are_stored_and_one_gets_its_focus(visit: Any, pages: Pages) -> None:
    """A file that is no picture is named with the reason, and does not stop the others."""
    visitor = await visit("write:haihau", name="Lan")
    files = [(f"cho-{n}.png", "image/png", picture((n, 90, 60))) for n in (1, 2)]
    content = multipart(visitor.browser.csrf, [*files, ("hong.png", "image/png", b"GIF")])
    headers = [("content-type", f"multipart/form-data; boundary={BOUNDARY}")]
    shown = await pages.send(visitor.browser, "POST", "/ban-bien-tap/anh-va-tep?site=haihau", content, headers)
    assert "Đã lưu 2 tệp" in shown.text
    assert "hong.png" in shown.text
    listed = (await pages.api.call("GET", "/media?site=haihau", None, "read")).json()["media"]
    assert sorted(one["file_name"] for one in listed) == ["cho-1.png", "cho-2.png"]
    medium = listed[0]["id"]
    shown = await visitor.open(f"anh-va-tep/{medium}")
    assert f"![](media:{medium})" in shown.html
    shown = await visitor.submit("focus", x="25", y="80", action="focus")
    assert "Đã đặt tâm ảnh" in shown.text
    stored = (await pages.api.call("GET", f"/media/{medium}", None, "read")).json()
    assert stored["image"]["focus"] == {"x": 0.25, "y": 0.8}
    assert (await visitor.open("anh-va-tep", kind="files")).status == 200


async def test_picture_is_described_found_and_shows_where_it_is_used(visit: Any, pages: Pages) -> None:
    """Its words are in what is copied into an article; the search knows them without diacritics."""
    visitor = await visit("write:haihau", name="Lan")
    content = multipart(visitor.browser.csrf, [("IMG_2031.png", "image/png", picture((9, 90, 60)))])
    headers = [("content-type", f"multipart/form-data; boundary={BOUNDARY}")]
    await pages.send(visitor.browser, "POST", "/ban-bien-tap/anh-va-tep?site=haihau", content, headers)
    medium = (await pages.api.call("GET", "/media?site=haihau", None, "read")).json()["media"][0]["id"]
    shown = await visitor.open(f"anh-va-tep/{medium}")
    assert "Chưa dùng ở đâu" in shown.text
    words = {"alt": "Chợ phiên Cồn", "caption": "Chợ sáng mùng 4.", "credit": "Trần Nam"}
    shown = await visitor.submit("words", **words, action="describe")
    assert "Đã lưu" in shown.text
    written = f'![Chợ phiên Cồn](media:{medium} "Chợ sáng mùng 4."){{credit="Trần Nam"}}'
    assert written in html.unescape(shown.html)
    await write(visitor, title="Chợ họp lại", body=written)
    assert "Chợ họp lại" in (await visitor.open(f"anh-va-tep/{medium}")).text
    shown = await visitor.open("anh-va-tep", q="cho phien")
    assert "IMG_2031" in shown.text
    assert "Chợ họp lại" in shown.text
    assert "Không thấy ảnh nào" in (await visitor.open("anh-va-tep", q="đám cưới")).text
    shown = await visitor.open(f"anh-va-tep/{medium}")
    assert (await visitor.submit("words", alt="x" * 301, action="describe")).status == 422


async def test_picture_of_a_banner_and_of_an_author_shows_where_it_is_used(visit: Any, pages: Pages) -> None:
    """A banner, whether it is shown now or not, and the page of an author are among the uses, on both pages."""
    await pages.api.context.structures.step()
    content = picture((9, 90, 60))
    medium = (await pages.api.call("POST", "/media?site=haihau", content, content_type="image/png")).json()["id"]
    shown = {"media": medium, "alt": "Tết"}
    banners = [{"place": "top", "image": shown}, {"place": "foot", "image": {**shown, "alt": "Hội"}}]
    banners[1]["starts_at"] = "2100-01-01T00:00:00Z"
    put = await pages.api.call("PUT", "/banners?site=haihau", {"items": banners}, "publish", if_match="*")
    assert put.status == 200, put.body
    author = {"site": "haihau", "name": "Trần Nam", "photo": {"media": medium, "alt": "Trần Nam"}}
    assert (await pages.api.call("POST", "/authors", author, "publish")).status == 201
    stored = (await pages.api.call("GET", f"/media/{medium}", None, "read")).json()
    assert [(one["place"], one["alt"], one["is_live"]) for one in stored["banners"]] == [
        ("top", "Tết", True),
        ("foot", "Hội", False),
    ]
    assert stored["authors"] == [{"author": "tran-nam", "name": "Trần Nam"}]
    visitor = await visit("publish:haihau", name="Lan")
    for path in (f"anh-va-tep/{medium}", "anh-va-tep"):
        page = await visitor.open(path)
        for link in (f"banner/{stored['banners'][0]['banner']}", "tac-gia/tran-nam"):
            assert f'href="/ban-bien-tap/{link}' in page.html
        assert "Hội" in page.text
    for path in (f"banner/{stored['banners'][1]['banner']}", "tac-gia/tran-nam"):
        assert (await visitor.open(path)).status == 200
