"""Upload, list, focus and original of images, in this process."""

import io
import unicodedata
from typing import Any
from urllib.parse import quote

from PIL import Image


def png(red: int = 200) -> bytes:
    """Return a small image."""
    content = io.BytesIO()
    Image.new("RGB", (8, 6), (red, 10, 10)).save(content, "PNG")
    return content.getvalue()


async def upload(api: Any, content: bytes, query: str = "", scope: str = "write") -> Any:
    return await api.call("POST", f"/media{query}", content, scope, content_type="application/octet-stream")


async def test_upload_is_stored_once(api: Any) -> None:
    """The first upload is 201 with a location, the same bytes again are 200 with the same image."""
    first, again = await upload(api, png(), "?file_name=C%3A%5Canh%5Ccho.png"), await upload(api, png())
    assert (first.status, again.status) == (201, 200)
    item = first.json()
    assert first.headers["location"] == f"/api/media/{item['id']}"
    assert again.json()["id"] == item["id"]
    assert (await api.call("GET", f"/media/{item['id']}", scope="read")).json()["id"] == item["id"]


async def test_upload_with_invalid_query_is_rejected(api: Any) -> None:
    """A focus has both coordinates within the image; a file name is text."""
    cases: list[Any] = [
        ("?focus_x=0.5", "write", 422),
        ("?focus_x=2&focus_y=0", "write", 422),
        ("?focus_x=nan&focus_y=0", "write", 422),
        ("?file_name=a%00b", "write", 422),
        ("", "read", 403),
    ]
    for query, scope, status in cases:
        assert (await upload(api, png(), query, scope)).status == status
        assert await api.context.pool.fetchval("SELECT count(*) FROM ingest.media") == 0


async def test_list_media_empty_library_is_an_empty_page(api: Any) -> None:
    """Without images the list is empty and has no next page."""
    response = await api.call("GET", "/media?limit=1", scope="read")
    assert (response.status, response.json()) == (200, {"media": [], "next": None})


async def test_list_media_is_newest_first_and_paged(api: Any) -> None:
    """Each image is on one page; the last page has no cursor."""
    ids = [(await upload(api, png(red))).json()["id"] for red in (1, 2, 3)]
    page = (await api.call("GET", "/media?limit=2", scope="read")).json()
    cursor = page["next"].replace("+", "%2B")
    rest = (await api.call("GET", f"/media?limit=2&cursor={cursor}", scope="read")).json()
    assert [one["id"] for one in (*page["media"], *rest["media"])] == ids[::-1]
    assert rest["next"] is None


async def test_list_media_invalid_cursor_is_422(api: Any) -> None:
    """A cursor that the API did not give is an error."""
    cases: list[Any] = ["x", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00_" + "0" * 64, "_", "x_x"]
    for cursor in cases:
        response = await api.call("GET", f"/media?cursor={cursor}", scope="read")
        assert (response.status, response.json()["detail"]) == (422, "cursor: is not a valid cursor"), cursor


async def test_focus_is_set_and_removed(api: Any) -> None:
    """The focus can be set and removed later; an unknown image is 404."""
    path = f"/media/{(await upload(api, png())).json()['id']}"
    focused = (await api.call("PATCH", path, {"focus": {"x": 0.25, "y": 1}})).json()
    assert focused["image"]["focus"] == {"x": 0.25, "y": 1.0}
    assert (await api.call("PATCH", path, {"focus": None})).json()["image"]["focus"] is None
    assert (await api.call("PATCH", path, {"focus": {"x": 2}})).status == 422
    for unknown in ("0" * 64, "x"):
        assert (await api.call("PATCH", f"/media/{unknown}", {"focus": None})).status == 404
        assert (await api.call("GET", f"/media/{unknown}/original")).status == 404


async def test_original_is_a_private_download_of_the_same_bytes(api: Any) -> None:
    """Editors get the uploaded file as an attachment that is not cached and runs nothing."""
    content = png()
    item = (await upload(api, content)).json()
    response = await api.call("GET", f"/media/{item['id']}/original")
    assert (response.status, response.body) == (200, content)
    assert response.headers["content-disposition"] == f'attachment; filename="{item["id"][:16]}.png"'
    assert response.headers["cache-control"] == "private, no-store"
    assert "sandbox" in response.headers["content-security-policy"]
    assert (await api.call("GET", f"/media/{item['id']}/original", scope="read")).status == 403


async def test_image_texts_are_searched_with_and_without_diacritics(api: Any) -> None:
    """File name, alt, caption and credit; a decomposed search finds composed words, and no word finds nothing."""
    found = (await upload(api, png(1), "?file_name=DSC_0042.png")).json()
    await upload(api, png(2), "?file_name=khac.png")
    texts = {"alt": "Chợ phiên", "caption": "Đường Cồn", "credit": "Trần Nam"}
    changed = (await api.call("PATCH", f"/media/{found['id']}", texts)).json()
    assert {name: changed[name] for name in texts} == texts
    assert changed["image"]["alt"] == "Chợ phiên"
    for words in ("chợ", "cho phien", unicodedata.normalize("NFD", "Đường cồn"), "tran na", "dsc 0042", '"cho phien"'):
        listed = (await api.call("GET", f"/media?q={quote(words)}", scope="read")).json()["media"]
        assert [one["id"] for one in listed] == [found["id"]], words
    for words in ("", "!", "đám cưới", '"phien duong"'):
        assert (await api.call("GET", f"/media?q={quote(words)}", scope="read")).json()["media"] == []
    for sent in ({"alt": "x" * 301}, {"caption": "a\u0000b"}, {"credit": 5}, {"name": "x"}):
        assert (await api.call("PATCH", f"/media/{found['id']}", sent)).status == 422
    kept = (await api.call("PATCH", f"/media/{found['id']}", {"alt": ""})).json()
    assert (kept["alt"], kept["caption"]) == ("", "Đường Cồn")


async def test_image_knows_where_it_is_used(api: Any) -> None:
    """Articles with their state and static pages, in the list and alone; an article keeps words of its own."""
    await api.context.structures.step()
    item = (await upload(api, png(1))).json()
    figure = {"type": "figure", "caption": "Riêng", "image": {"media": item["id"], "alt": "Chữ riêng"}}
    article = await api.create("Có ảnh", body=[figure])
    sent = {"title": "Giới thiệu", "site": "haihau", "body": [figure]}
    page = (await api.call("POST", "/pages", sent, "publish")).json()
    await api.call("PATCH", f"/media/{item['id']}", {"alt": "Mặc định"})
    use = {"id": article["id"], "number": article["number"], "title": "Có ảnh", "state": "draft", "is_live": False}
    for path in (f"/media/{item['id']}", "/media"):
        found = (await api.call("GET", path, scope="read")).json()
        found = found["media"][0] if "media" in found else found
        assert found["used_in"] == [use]
        assert found["pages"] == [{"page": page["id"], "title": "Giới thiệu", "is_live": False}]
    stored = (await api.call("GET", f"/articles/{article['id']}", scope="read")).json()
    assert stored["body"][0]["image"]["alt"] == "Chữ riêng"
