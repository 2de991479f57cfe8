"""Images over HTTP: from the upload to the page, and hostile uploads."""

import concurrent.futures
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from PIL import Image


def photo(color: str = "red", size: tuple[int, int] = (1_800, 1_200)) -> bytes:
    """Return a photo with the GPS position where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "TELEPHONE-MAKER"
    exif.get_ifd(0x8825)[2] = (20.0, 11.0, 12.0)
    output = io.BytesIO()
    Image.new("RGB", size, color).save(output, "JPEG", exif=exif.tobytes())
    return output.getvalue()


def files(system: Any) -> set[str]:
    return {str(file.relative_to(system.home / "media")) for file in (system.home / "media").rglob("*.*")}


def test_uploaded_image_is_on_the_published_page(system: Any, editors: Any) -> None:
    """A photo is uploaded; an article that refers to it by ID is published; the page offers renditions that exist."""
    content = photo()
    answer = editors.upload(content, file_name="cho-con.jpg", focus_x=0.25, focus_y=0.75)
    assert (answer.status, answer.json()["id"]) == (201, hashlib.sha256(content).hexdigest())
    item = answer.json()
    assert (item["width"], item["height"], item["file_name"]) == (1_200, 1_800, "cho-con.jpg")
    assert item["image"]["focus"] == {"x": 0.25, "y": 0.75}
    figure = {"type": "figure", "caption": "Cổng chợ", "image": {"media": item["id"], "alt": "Cổng chợ"}}
    draft = editors.create("Bài có ảnh", body=[figure], lead_image={**figure, "credit": "T.N."})
    assert draft["body"][0]["image"] == {**item["image"], "alt": "Cổng chợ"}
    assert draft["lead_image"]["image"] == {**item["image"], "alt": "Cổng chợ", "crops": item["crops"]}
    published = editors.publish(draft["id"])
    assert editors.publication(draft["id"])["status"] == "live"
    page = system.get("/" + published["url"].split("/", 3)[3]).text
    assert 'width="1200" height="1800"' in page
    for one in (item["image"], *item["image"]["renditions"]):
        assert one["url"] in page
        got = system.get(one["url"])
        kind = one.get("type", "image/jpeg")
        assert (got.status, got.headers["content-type"]) == (200, kind)
        assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert b"TELEPHONE" not in got.body
        with Image.open(io.BytesIO(got.body)) as image:
            assert image.size == (one["width"], one["height"])
    again = system.get(item["image"]["url"], if_none_match=got.headers["etag"])
    assert again.status in (200, 304)


def corner(red: int) -> bytes:
    """Return a photo whose lower left corner alone is red; no other photo has the shade of the rest."""
    picture = Image.new("RGB", (1_600, 1_600), (red, 120, 60))
    picture.paste((250, 20, 20), (0, 1_400, 200, 1_600))
    output = io.BytesIO()
    picture.save(output, "JPEG", quality=90)
    return output.getvalue()


def shows_corner(system: Any, url: str) -> bool:
    """Return whether the lower left corner of a picture of the portal is the red one of `corner`."""
    with Image.open(io.BytesIO(system.get(url).body)) as picture:
        pixel: Any = picture.convert("RGB").getpixel((4, picture.height - 5))
    return bool(pixel[0] > 200 and pixel[1] < 90)


def pictures(system: Any, page: str, article: str) -> dict[str, list[tuple[str, float]]]:
    """Return the pictures of an article on a page: {where: [(path, width by height)]}."""
    html = system.get(page).text
    found: dict[str, list[tuple[str, float]]] = {"card": [], "schema": [], "list": []}
    sizes = re.findall(r'og:image(?::width|:height)?" content="([^"]+)"', html)
    if page == article and len(sizes) >= 3:
        found["card"] = [("/media/" + sizes[0].partition("/media/")[2], int(sizes[1]) / int(sizes[2]))]
    for one in re.findall(rf'<a class="picture[^"]*" href="{article}".*?</a>', html, re.DOTALL):
        image = re.search(r'<img src="([^"]+)"[^>]* width="(\d+)" height="(\d+)"', one)
        assert image, one
        found["list"].append((image[1], int(image[2]) / int(image[3])))
    for text in re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL):
        data = json.loads(text)
        if data.get("@type") == "NewsArticle":
            shapes = [
                ("/media/" + one["url"].partition("/media/")[2], one["width"] / one["height"]) for one in data["image"]
            ]
            found["schema"] = shapes
    return found


def test_focus_point_is_kept_in_lists_lead_cards_and_structured_data(system: Any, editors: Any, wait: Any) -> None:
    """Each crop of the portal shows it: 3:2 in lists, 16:9 as lead and card, all three in schema.org."""
    image = editors.upload(corner(7)).json()
    figure = {"type": "figure", "caption": "Góc đỏ", "image": {"media": image["id"], "alt": "Góc đỏ"}}
    made = editors.create("Bài có ảnh cắt quanh điểm nét", section="van-hoa", body=[figure])["id"]
    page = "/" + editors.publish(made)["url"].split("/", 3)[3]
    assert editors.publication(made)["status"] == "live"
    lead = {"slots": [{"article": made, "until": "2099-01-01T00:00:00Z"}]}
    assert editors.call("PUT", "/front-page?site=haihau", lead, "publish", if_match="*").status == 200
    try:
        wait(lambda: pictures(system, "/", page)["list"], what="the lead story")
        places = {("/van-hoa/", "list"): 1.5, ("/", "list"): 16 / 9, (page, "card"): 16 / 9}
        for (path, where), ratio in places.items():
            (shown,) = pictures(system, path, page)[where][:1]
            assert shown[1] == pytest.approx(ratio, rel=0.01), path
            assert not shows_corner(system, shown[0]), path
        moved = editors.call("PATCH", f"/media/{image['id']}", {"focus": {"x": 0, "y": 1}}, "publish")
        assert moved.status == 200, moved.text
        for path, where in places:

            def is_moved(path: str = path, where: str = where) -> bool:
                return shows_corner(system, pictures(system, path, page)[where][0][0])

            wait(is_moved, 60, f"the crop on {path}")
        schema = pictures(system, page, page)["schema"]
        assert {round(ratio, 2) for _, ratio in schema} == {1.78, 1.5, 1.0}
        assert all(shows_corner(system, url) for url, _ in schema)
    finally:
        editors.call("PUT", "/front-page?site=haihau", {"slots": []}, "publish", if_match="*")


def test_upload_same_file_again_returns_stored_image(system: Any, editors: Any) -> None:
    """The same file again, also concurrently and as a form, is the stored image."""
    content = photo("green")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: editors.upload(content), range(3)))
    assert {answer.status for answer in answers} <= {200, 201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    before = files(system)
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="C:\\\\anh\\\\a.jpg"\r\n\r\n' + content
    kind = "multipart/form-data; boundary=x"
    answer = editors.call("POST", "/media", form + b"\r\n--x--\r\n", content_type=kind)
    assert (answer.status, answer.json()["id"]) == (200, answers[0].json()["id"])
    assert files(system) == before


def test_original_is_served_to_editors_only(system: Any, editors: Any) -> None:
    """The original is served byte for byte to editors, as a download, and to nobody else."""
    content = photo("blue")
    medium = editors.upload(content).json()["id"]
    got = editors.call("GET", f"/media/{medium}/original")
    assert (got.status, got.body) == (200, content)
    assert got.headers["content-disposition"].startswith("attachment")
    assert system.get(f"/api/media/{medium}/original").status == 401
    assert editors.call("GET", f"/media/{medium}/original", scope="read").status == 403
    for path in (f"/media/{medium}", f"/media/originals/{medium}", f"/media/..%2foriginals%2f{medium}", "/media/"):
        assert system.get(path).status == 404, path
    assert editors.call("POST", "/media", content, scope="read").status == 403
    assert system.request("POST", "/api/media", content).status == 401


def test_media_list_is_paged_and_focus_can_be_set(editors: Any) -> None:
    """Images are listed newest first, page by page; a focus point applies to articles saved after it."""
    ids = [editors.image((n, 1, 1))["media"] for n in range(3)]
    first = editors.call("GET", "/media?limit=2", scope="read").json()
    assert [one["id"] for one in first["media"]] == ids[:0:-1]
    second = editors.call("GET", f"/media?limit=1&cursor={first['next']}", scope="read").json()
    assert second["media"][0]["id"] == ids[0]
    assert editors.call("GET", "/media?cursor=x", scope="read").status == 422
    changed = editors.call("PATCH", f"/media/{ids[0]}", {"focus": {"x": 0.1, "y": 1}})
    assert changed.json()["image"]["focus"] == {"x": 0.1, "y": 1.0}
    figure = {"type": "figure", "caption": "Ảnh", "image": {"media": ids[0], "alt": "x"}}
    own = {"type": "figure", "caption": "Ảnh", "image": {"media": ids[0], "focus": {"x": 0.9, "y": 0.9}}}
    body = editors.create("Bài có tiêu điểm", body=[figure, own])["body"]
    assert [block["image"]["focus"]["x"] for block in body] == [0.1, 0.9]
    assert editors.call("PATCH", f"/media/{ids[0]}", {"focus": {"x": 2, "y": 0}}).status == 422
    for path in (f"/media/{'0' * 64}", "/media/x"):
        assert editors.call("GET", path, scope="read").status == 404


def test_article_with_missing_image_is_rejected(editors: Any) -> None:
    """An unknown media ID is rejected; an unknown URL of the portal cannot be approved or published."""
    figure = {"type": "figure", "caption": "Ảnh", "image": {"media": "0" * 64, "alt": "x"}}
    given = {"site": "haihau", "section": "tin-tuc", "title": "Ảnh không có", "body": [figure]}
    answer = editors.call("POST", "/articles", given)
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "body.0.image.media")
    draft = editors.create("Ảnh chưa có")
    changed = editors.call("PATCH", f"/articles/{draft['id']}", {"version": 1, "lead_image": figure})
    assert (changed.status, changed.json()["errors"][0]["field"]) == (422, "lead_image.image.media")
    for url in ("/media/a.jpg", "/anh/a.jpg", f"/media/{'0' * 32}.jpg"):
        block = {"type": "figure", "caption": "Ảnh", "image": {"url": url, "alt": "x"}}
        article = editors.create("Ảnh ở đâu", body=[block])["id"]
        editors.step(article, "submit")
        for name, scope in (("approve", "publish"), ("publish", "admin")):
            answer = editors.call("POST", f"/articles/{article}/{name}", {"version": 2}, scope)
            assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "body.0.image.url"), url


def test_image_in_html_is_resolved_by_url(editors: Any) -> None:
    """HTML and Markdown refer to an image by URL; size and renditions are filled in."""
    image = editors.image()
    html = f'<figure><img src="{image["renditions"][-1]["url"]}" alt="Ảnh" width=1><figcaption>C</figcaption></figure>'
    for fields in (
        {"body": html},
        {"body": f'![Ảnh]({image["url"]} "C")', "body_format": "markdown"},
    ):
        found = editors.create("Bài HTML có ảnh", **fields)["body"][0]["image"]
        assert len(found["crops"]) == 3
        assert {**found, "crops": []} == {**image, "alt": "Ảnh"}


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 422, "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415, "SVG"),
        (b"<!doctype html><script>alert(1)</script>", 415, "HTML"),
        (b"PK\x03\x04" + bytes(2_000), 415, "ZIP"),
        (photo()[:5_000], 422, "damaged"),
        (b"\xff\xd8\xff<script>alert(1)</script>", 422, "damaged"),
        (bytes(20 * 1024 * 1024 + 1), 413, "20,971,520"),
        (bytes(30 * 1024 * 1024), 413, "20,971,520"),
    ],
)
def test_hostile_upload_is_rejected_and_leaves_nothing(
    system: Any, editors: Any, content: bytes, status: int, message: str
) -> None:
    """A file that is not an image, damaged or too large is rejected, and leaves neither file nor row."""
    before = files(system)
    for name in ("a.jpg", "..%2F..%2Fetc%2Fpasswd"):
        answer = editors.upload(content, file_name=name)
        assert (answer.status, message in answer.json()["detail"]) == (status, True), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert files(system) == before
    assert editors.call("GET", f"/media/{hashlib.sha256(content).hexdigest()}", scope="read").status == 404


FORM = "multipart/form-data; boundary=x"
NO_FILE = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n--x--\r\n'
ODD_NAME = b'--x\r\nContent-Disposition: form-data; name="\xff"; filename="\xff"\r\n\r\na\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x", "multipart/form-data", 400),
        (b"x", FORM, 400),
        (NO_FILE, FORM, 422),
        (ODD_NAME, FORM, 422),
        (b"--x\r\n" * 5_000, FORM, 400),
    ],
)
def test_broken_form_is_rejected(editors: Any, body: bytes, kind: str, status: int) -> None:
    """An unreadable form, or one without a file, is rejected."""
    answer = editors.call("POST", "/media", body, content_type=kind)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text


def test_api_responds_while_images_are_decoded(editors: Any) -> None:
    """Large images are decoded in other processes: the API responds many times meanwhile, and all uploads succeed."""
    large = [photo(color, (7_000, 7_000)) for color in ("orange", "purple", "olive")]
    responses = 0
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        uploads = [pool.submit(editors.upload, content) for content in large]
        while not all(one.done() for one in uploads):
            assert editors.call("GET", "/media?limit=1", scope="read").status == 200
            responses += 1
    assert [one.result().status for one in uploads] == [201] * 3
    assert responses > 10, "decoding in this process would answer once between two images"


async def test_upload_while_store_is_unavailable_is_503(system: Any, editors: Any) -> None:
    """While the store is unavailable an upload is 503 and leaves no row; later the same file is accepted."""
    folder: Path = system.home / "media"
    aside = folder.with_name("media-aside")
    content = photo("pink", (300, 200))
    folder.rename(aside)
    folder.write_text("no folder")
    try:
        answer = editors.upload(content)
        assert (answer.status, "retry-after" in answer.headers) == (503, True), answer.text
        missing = system.get(f"/media/{'a' * 32}.jpg")
        assert (missing.status in (404, 503), missing.headers["cache-control"]) == (True, "no-store")
    finally:
        folder.unlink()
        aside.rename(folder)
    connection = await asyncpg.connect(system.database_url)
    rows = await connection.fetchval(
        "SELECT count(*) FROM ingest.media WHERE id = $1", hashlib.sha256(content).hexdigest()
    )
    await connection.close()
    assert rows == 0
    assert editors.upload(content).status == 201
