"""Documents over HTTP: from the upload to the download through the gateway, and gone with their article."""

import uuid
from typing import Any

from tests.ingest.files.samples import docx, pdf


def uploaded(editors: Any, content: bytes, name: str) -> dict[str, Any]:
    answer = editors.call("POST", f"/files?file_name={name}", content, content_type="application/octet-stream")
    assert answer.status == 201, answer.text
    return dict(answer.json())


def test_file_is_public_while_its_article_is(system: Any, editors: Any) -> None:
    """A document is downloaded from the page of its live article, and by nobody before and after that."""
    content = pdf(b"<</Title(%s)>>" % uuid.uuid4().hex.encode())
    item = uploaded(editors, content, "ngh%E1%BB%8B-quy%E1%BA%BFt.pdf")
    draft = editors.create("Bài có tệp", body=[{"type": "file", "media": item["id"], "name": "Nghị quyết"}])
    assert system.get(item["url"]).status == 404
    article = editors.publish(draft["id"])
    assert editors.publication(draft["id"])["status"] == "live"
    page = system.get("/" + article["url"].split("/", 3)[3]).text
    assert f'<a href="{item["url"]}" download>' in page
    assert "<small>(PDF, 1 KB)</small>" in page
    got = system.get(item["url"], cookie="session=1")
    assert (got.status, got.body) == (200, content)
    assert got.headers["content-disposition"].startswith('attachment; filename="Nghi quyet.pdf"')
    assert (got.headers["x-content-type-options"], got.headers.get("set-cookie")) == ("nosniff", None)
    part = system.get(item["url"], range="bytes=0-7")
    assert (part.status, part.body) == (206, content[:8])
    assert system.get(item["url"], if_none_match=got.headers["etag"]).status == 304
    head = system.request("HEAD", item["url"])
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len(content)), b"")
    assert system.request("POST", item["url"], b"x").status == 405
    assert editors.call("DELETE", f"/files/{item['id']}").status == 409
    editors.step(draft["id"], "kill", {"reason": "lộ thông tin cá nhân"})
    assert editors.publication(draft["id"])["status"] == "withdrawn"
    assert system.get(item["url"]).status == 404


def test_large_document_is_uploaded_through_the_gateway(system: Any, editors: Any) -> None:
    """A document near the limit passes the gateway, and one above it is 413 with the limit."""
    picture = b"<<>>stream\n" + bytes(20 * 1024 * 1024) + b"\nendstream "
    item = uploaded(editors, pdf(picture, b"<</Id(%s)>>" % uuid.uuid4().hex.encode()), "lon.pdf")
    assert item["bytes"] > 20 * 1024 * 1024
    answer = editors.call("POST", "/files", bytes(53 * 1024 * 1024), content_type="application/octet-stream")
    assert (answer.status, answer.json()["limit"]) == (413, 50 * 1024 * 1024)


def test_word_document_becomes_a_draft(system: Any, editors: Any) -> None:
    """A document is imported over the API as a draft, and the report is one line of JSON."""
    path = f"/imports?site=haihau&section=tin-tuc&file_name={uuid.uuid4().hex}.docx"
    answer = editors.call("POST", path, docx(body="<w:p><w:r><w:t>Thân bài</w:t></w:r></w:p>"))
    result = answer.json()
    assert (answer.status, result["status"], result["state"]) == (200, "created", "draft")
    body = editors.call("GET", f"/articles/{result['article']}", scope="read").json()["body"]
    assert [block["html"] for block in body] == ["Nghị quyết", "Thân bài"]
