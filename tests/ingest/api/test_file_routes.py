"""Files over the API: upload, list, rename, use, deletion, rights and limits."""

import asyncio
from typing import Any

import pytest

from services.ingest.api import body_limits
from tests.ingest.files.samples import ACCEPTED, docx, hostile, pdf


async def upload(api: Any, content: bytes, query: str = "", scope: str = "write", at: str | None = None) -> Any:
    return await api.call("POST", f"/files{query}", content, scope, at, content_type="application/octet-stream")


def block(item: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "file", "media": item["id"], **fields}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_uploaded_file_can_be_offered_by_an_article(api: Any, name: str) -> None:
    """Each accepted type is stored once, under its name and type, and its block is complete."""
    first, again = await upload(api, ACCEPTED[name], f"?file_name={name}"), await upload(api, ACCEPTED[name])
    assert (first.status, again.status) == (201, 200)
    item = first.json()
    assert again.json() == item
    assert (item["name"], item["url"].rpartition("/")[2]) == (name, name)
    article = await api.create("Có tệp", body=[block(item), block(item, name="Toàn văn")])
    assert article["body"] == [item["block"], {**item["block"], "name": "Toàn văn"}]
    content = await api.call("GET", f"/files/{item['id']}/content", scope="read")
    assert (content.status, content.body) == (200, ACCEPTED[name])
    assert content.headers["content-disposition"].startswith("attachment")


async def test_form_upload_has_the_name_of_its_field(api: Any) -> None:
    """A form with a Vietnamese file name is read as it is."""
    head = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="Ngh\xe1\xbb\x8b quy\xe1\xba\xbft.pdf"\r\n\r\n'
    )
    sent = head + pdf() + b"\r\n--x--\r\n"
    response = await api.call("POST", "/files", sent, content_type="multipart/form-data; boundary=x")
    assert (response.status, response.json()["name"]) == (201, "Nghị quyết.pdf")
    assert response.json()["url"].endswith("/nghi-quyet.pdf")


async def test_wrong_extension_is_corrected_by_the_content(api: Any) -> None:
    """A PDF in a script's name gets the extension of a PDF, in its name and its URL."""
    item = (await upload(api, pdf(), "?file_name=hoa-don.pdf.hta")).json()
    assert (item["name"], item["url"].rpartition(".")[2]) == ("hoa-don.pdf.hta.pdf", "pdf")


async def test_refused_file_says_why(api: Any) -> None:
    """The problem has a sentence and a stable reason."""
    response = await upload(api, hostile("a .doc with macros"), "?file_name=a.doc")
    assert (response.status, response.json()["reason"]) == (422, "macros")
    assert "macros" in response.json()["detail"]
    assert (await upload(api, b"<html>", "?file_name=a.pdf")).status == 415
    assert (await upload(api, b"")).status == 422


async def test_too_large_file_is_413_with_the_limit(api: Any) -> None:
    """A file above the limit of the settings is refused, as a body and in a form."""
    api.context.file_bytes_max = 1_000
    response = await upload(api, pdf(tail=b"\n" * 1_000))
    assert (response.status, response.json()["limit"]) == (413, 1_000)
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + bytes(2_000) + b"\r\n--x--"
    response = await api.call("POST", "/files", form, content_type="multipart/form-data; boundary=x")
    assert (response.status, response.json()["limit"]) == (413, 1_000)


async def test_upload_reserves_its_bytes(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document counts for the bodies in progress: the temporary folder of a container is in memory."""
    reserved = []
    before = body_limits.BodyBudget.reserve
    monkeypatch.setattr(
        body_limits.BodyBudget, "reserve", lambda budget, *given: reserved.append(given[1]) or before(budget, *given)
    )
    for declared in (50 * 1024 * 1024, 10**12):
        await api.call("POST", "/files", pdf(), content_length=str(declared))
    assert reserved == [50 * 1024 * 1024, body_limits.LARGE_UPLOAD_BYTES_MAX]


async def test_list_is_paged_and_knows_its_uses(api: Any) -> None:
    """Files are listed newest first; each knows the articles that offer it, live and in work."""
    items = [(await upload(api, docx(body=f"<w:p>{n}</w:p>"), f"?file_name={n}.docx")).json() for n in range(3)]
    page = (await api.call("GET", "/files?limit=2", scope="read")).json()
    assert [one["name"] for one in page["files"]] == ["2.docx", "1.docx"]
    cursor = page["next"].replace("+", "%2B")
    rest = (await api.call("GET", f"/files?limit=2&cursor={cursor}", scope="read")).json()
    assert ([one["name"] for one in rest["files"]], rest["next"]) == (["0.docx"], None)
    for cursor in ("x", "2026-01-01T00:00:00Z_x", "2026-01-01T00:00:00_" + "0" * 32):
        assert (await api.call("GET", f"/files?cursor={cursor}", scope="read")).status == 422
    article = await api.create("Có tệp", body=[block(items[0])])
    found = (await api.call("GET", f"/files/{items[0]['id']}", scope="read")).json()
    use = {"id": article["id"], "number": article["number"], "title": "Có tệp", "state": "draft", "is_live": False}
    assert (found["used_in"], found["is_used"]) == ([use], True)
    listed = (await api.call("GET", "/files?q=0", scope="read")).json()["files"]
    assert [(one["name"], one["used_in"], one["is_used"]) for one in listed] == [("0.docx", [use], True)]
    await api.call("POST", f"/articles/{article['id']}/publish", {"version": 1}, "admin")
    found = (await api.call("GET", f"/files/{items[0]['id']}", scope="read")).json()
    assert found["used_in"] == [{**use, "state": "published", "is_live": True}]


async def test_rename_changes_new_links_only(api: Any) -> None:
    """A new name has a new URL; an article that is saved again gets it, and its own name for the file stays."""
    item = (await upload(api, pdf(), "?file_name=cu.pdf")).json()
    article = await api.create("Có tệp", body=[block(item)])
    renamed = await api.call("PATCH", f"/files/{item['id']}", {"name": "Mới/Nghị quyết"})
    assert (renamed.status, renamed.json()["name"]) == (200, "Nghị quyết.pdf")
    assert renamed.json()["url"] == f"/tep/{item['id']}/nghi-quyet.pdf"
    now = (await api.call("GET", f"/articles/{article['id']}", scope="read")).json()
    assert now["body"][0]["url"] == item["url"]
    for name in ("", "a\u0000b", "x" * 196, None):
        assert (await api.call("PATCH", f"/files/{item['id']}", {"name": name})).status == 422
    assert (await api.call("PATCH", f"/files/{item['id']}", {"type": "x"})).status == 422


async def test_used_file_is_not_deleted_and_an_unused_one_is(api: Any) -> None:
    """A file is deleted when neither the working nor the published version of an article offers it."""
    item = (await upload(api, pdf())).json()
    article = await api.create("Có tệp", body=[block(item)])
    await api.call("POST", f"/articles/{article['id']}/publish", {"version": 1}, "admin")
    edited = await api.call("PATCH", f"/articles/{article['id']}", {"version": 2, "body": "<p>Không có tệp.</p>"})
    assert edited.status == 200, edited.body
    refused = await api.call("DELETE", f"/files/{item['id']}")
    assert (refused.status, refused.json()["used_in"][0]["is_live"]) == (409, True)
    await api.call("POST", f"/articles/{article['id']}/kill", {"reason": "lộ thông tin"}, "publish")
    refused = await api.call("DELETE", f"/files/{item['id']}")
    assert (refused.status, refused.json()["used_in"][0]["is_live"]) == (409, False)
    free = (await upload(api, docx())).json()
    assert (await api.call("DELETE", f"/files/{free['id']}")).status == 204
    assert (await api.call("GET", f"/files/{free['id']}", scope="read")).status == 404
    assert (await api.call("DELETE", f"/files/{free['id']}")).status == 404
    again = await upload(api, docx())
    assert (again.status, again.json()["id"] == free["id"]) == (201, False)


async def test_deletion_and_use_at_the_same_time_never_both_succeed(api: Any) -> None:
    """A file that is deleted while an article that offers it is saved: one of them is refused."""
    for number in range(5):
        item = (await upload(api, docx(body=f"<w:p>{number}</w:p>"))).json()
        given = {"site": "haihau", "section": "tin-tuc", "title": "Có tệp", "body": [block(item)]}
        saved, deleted = await asyncio.gather(
            api.call("POST", "/articles", given), api.call("DELETE", f"/files/{item['id']}")
        )
        assert (saved.status, deleted.status) in ((201, 409), (422, 204)), (saved.body, deleted.body)


async def test_files_need_scopes_and_sites(tenants: Any) -> None:
    """Readers cannot upload; files of another site do not exist; every change is in the audit log."""
    item = (await upload(tenants, pdf(), "?site=haihau")).json()
    assert (await upload(tenants, docx(), "?site=haihau", "read")).status == 403
    assert (await tenants.call("GET", f"/files/{item['id']}", scope=None)).status == 401
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/content", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
    ):
        response = await tenants.call(method, f"/files/{item['id']}{path}", body, "write", "giao-thuy")
        assert response.status == 404, (method, path)
    assert (await upload(tenants, docx(), "?site=haihau", at="giao-thuy")).status == 403
    assert (await tenants.call("GET", "/files", scope="read", at="giao-thuy")).json()["files"] == []
    other = {"site": "giao-thuy", "section": "tin-tuc", "title": "x", "body": [block(item)]}
    assert (await tenants.call("POST", "/articles", other)).status == 422
    await tenants.call("PATCH", f"/files/{item['id']}", {"name": "x"})
    await tenants.call("DELETE", f"/files/{item['id']}")
    entries = (await tenants.call("GET", "/audit?site=haihau", scope="admin")).json()["entries"]
    assert [one["action"] for one in entries][:3] == ["delete", "rename", "upload"]


@pytest.mark.parametrize("file_id", ["x", "0" * 31, "0" * 64, "%2e%2e", "0" * 32])
async def test_unknown_file_is_404(api: Any, file_id: str) -> None:
    """An id that no file has is 404, whatever it looks like."""
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert (await api.call(method, f"/files/{file_id}{path}")).status == 404


async def test_lost_content_is_404(api: Any) -> None:
    """A file that the store has lost is 404 for its content alone."""
    item = (await upload(api, pdf())).json()
    await api.context.media.store.delete_async(f"files/{item['id']}")
    assert (await api.call("GET", f"/files/{item['id']}/content", scope="read")).status == 404
    assert (await api.call("GET", f"/files/{item['id']}", scope="read")).status == 200


@pytest.mark.parametrize(
    "given",
    [
        {"type": "file"},
        {"type": "file", "name": "x"},
        {"type": "file", "url": "https://a.example/a.pdf"},
        {"type": "file", "url": "javascript:alert(1)", "name": "x"},
        {"type": "file", "media": "../../x"},
        {"type": "file", "media": "0" * 32},
        {"type": "file", "url": "/tep/x/y.pdf"},
        {"type": "file", "url": "data:text/html,x", "name": "x"},
    ],
)
async def test_invalid_file_block_is_422(api: Any, given: dict[str, Any]) -> None:
    """A block names a file of the site, or a web address and a name."""
    sent = {"site": "haihau", "section": "tin-tuc", "title": "x", "body": [given]}
    assert (await api.call("POST", "/articles", sent)).status == 422


async def test_file_of_a_static_page_is_not_deleted(api: Any) -> None:
    """The working copy of a page offers it, or the public one; a withdrawn page offers nothing to anybody."""
    item = (await upload(api, pdf())).json()
    page = (await api.call("POST", "/pages", {"title": "Biểu mẫu", "body": [block(item)]}, "publish")).json()
    path = f"/pages/{page['id']}"
    assert page["body"][0]["url"] == item["url"]
    assert (await api.call("POST", f"{path}/publish", None, "publish", if_match="*")).status == 200
    edited = await api.call("PATCH", path, {"body": "<p>Không có tệp.</p>"}, "publish", if_match="*")
    assert edited.status == 200, edited.body
    found = (await api.call("GET", f"/files/{item['id']}", scope="read")).json()
    assert (found["pages"], found["is_used"]) == ([{"page": page["id"], "title": "Biểu mẫu", "is_live": True}], True)
    refused = await api.call("DELETE", f"/files/{item['id']}")
    assert (refused.status, refused.json()["pages"]) == (409, found["pages"])
    assert (await api.call("POST", f"{path}/unpublish", None, "publish")).status == 200
    assert (await api.call("DELETE", f"/files/{item['id']}")).status == 204
