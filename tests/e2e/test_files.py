"""Documents over HTTP: from the upload to the download through the gateway, and gone with their article."""

import urllib.parse
import uuid
from typing import Any

import pytest

from tests.ingest.files.samples import docx, pdf, zipped


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


PAGE = b"<html><script>alert(1)</script></html>"
REFUSED: dict[str, tuple[bytes, int, str]] = {
    "HTML in a PDF's name": (PAGE, 415, "unsupported-type"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 415, "unsupported-type"),
    "XHTML": (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", 415, "unsupported-type"),
    "MHTML": (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n\r\n" + PAGE, 415, "unsupported-type"),
    "a GIF": (b"GIF89a" + bytes(20), 415, "unsupported-type"),
    "a GIF that is a PDF": (b"GIF89a/*" + pdf(), 422, "polyglot"),
    "a PDF after HTML": (PAGE + pdf(), 422, "polyglot"),
    "HTML in the head of a PDF": (pdf().replace(b"\n%", b"\n%" + PAGE, 1), 422, "polyglot"),
    "HTML after a PDF": (pdf(tail=PAGE), 422, "polyglot"),
    "a PDF that is a ZIP": (pdf(tail=zipped({"a.txt": b"x"})), 422, "polyglot"),
    "a PDF with a script": (pdf(b"<</S/JavaScript/JS(app.alert(1))>>"), 422, "scripts"),
    "a page in a ZIP": (zipped({"a.html": PAGE}), 422, "programs"),
    "a macro document": (docx({"word/vbaProject.bin": b"x"}), 422, "macros"),
    "nothing": (b"", 422, "empty_file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_file_is_refused_with_its_reason(editors: Any, name: str) -> None:
    """Whatever name and type a client declares, a refused file has a status, a code and a reason."""
    content, status, reason = REFUSED[name]
    for file_name, kind in (("tai-lieu.pdf", "application/pdf"), ("x.docx", "text/html")):
        answer = editors.call("POST", f"/files?file_name={file_name}", content, content_type=kind)
        problem = answer.json()
        assert (answer.status, problem.get("reason", problem["code"])) == (status, reason), answer.text
        assert problem["detail"]


@pytest.mark.parametrize("name", ["a\u202efdp.exe", "a\0b.pdf", "a\u2066b.pdf", "a\x7f.pdf"])
def test_name_that_hides_its_end_is_refused(editors: Any, name: str) -> None:
    """Characters that turn a name round or end a text are refused in uploads and in articles."""
    content = pdf(uuid.uuid4().hex.encode())
    answer = editors.call("POST", f"/files?file_name={urllib.parse.quote(name)}", content)
    assert (answer.status, answer.json()["code"]) == (422, "invalid_fields"), answer.text
    item = uploaded(editors, content, "a.pdf")
    body = [{"type": "file", "media": item["id"], "name": name}]
    given = {"site": "haihau", "section": "tin-tuc", "title": "Bài", "body": body}
    answer = editors.call("POST", "/articles", given)
    assert answer.status == 422, answer.text


def test_file_by_its_copied_address_is_offered(system: Any, editors: Any) -> None:
    """The address that an editor copies from a page means the file: it is public with the article that has it."""
    item = uploaded(editors, pdf(b"<</Title(%s)>>" % uuid.uuid4().hex.encode()), "a.pdf")
    link = editors.create("Liên kết", body=f'<p><a href="{item["url"]}">tệp</a></p>')
    assert [one["code"] for one in link["warnings"]] == ["file_link_alone"]
    draft = editors.create("Tệp", body=[{"type": "file", "url": system.url + item["url"], "name": "Tệp"}])
    assert draft["body"][0] == {**item["block"], "type": "file", "name": "Tệp"}
    editors.publish(draft["id"])
    assert editors.publication(draft["id"])["status"] == "live"
    assert system.get(item["url"]).status == 200
