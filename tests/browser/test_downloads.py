"""Hostile documents in real Chromium: each is a download, and nothing in it runs or is shown.

Uploads of most such files are refused: their bytes take the place of an accepted one, as if the check had a fault.
Those of ACCEPTED pass the check.
"""

import json
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Error

from tests.ingest.files.samples import docx, pdf, zipped

ROOT = Path(__file__).parent.parent.parent
PAGE_BYTES = 1_100
"""What of a file the check, and browsers that guess types, take for its beginning."""
SCRIPT = b"document.title = 'PWNED'; window.pwned = 1; parent.pwned = 1;"
HOSTILE = {
    "HTML in a PDF's name": b"<!doctype html><title>x</title><script>" + SCRIPT + b"</script>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>" + SCRIPT + b"</script></svg>",
    "a script": SCRIPT,
    "a PDF after HTML": b"<html><script>" + SCRIPT + b"</script></html>" + pdf(),
    "a PDF that is a ZIP": pdf() + zipped({"a.html": b"<script>" + SCRIPT + b"</script>"}),
    "a macro document": docx({"word/vbaProject.bin": b"x"}),
    "XHTML": b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>" + SCRIPT + b"</script></html>",
    "a GIF that is a script and a PDF": b"GIF89a/*" + pdf() + b"*/=1;" + SCRIPT,
    "MHTML": b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: text/html\r\nContent-Location: http://localhost/\r\n\r\n<script>"
    + SCRIPT
    + b"</script>\r\n--b--\r\n",
    "a page in UTF-7": b"+ADw-script+AD4-" + SCRIPT + b"+ADw-/script+AD4-",
    "a page in UTF-16": "<script>".encode("utf-16") + SCRIPT.decode().encode("utf-16-le"),
}
ACCEPTED = {
    "HTML in a comment of a PDF": pdf(b"%" + bytes(PAGE_BYTES) + b"<html><script>" + SCRIPT + b"</script>\n<<>>"),
    "HTML as the title of a PDF": pdf(b"%" + bytes(PAGE_BYTES) + b"\n<</Title(<svg onload=alert(1)>)>>"),
    "HTML as the text of a Word document": docx({"word/comments.txt": b"<html><script>" + SCRIPT + b"</script>"}),
    "a page as text in a ZIP": zipped({"doc.txt": b"<html><script>" + SCRIPT + b"</script></html>"}),
}
NAMES = [
    "x.html",
    ".htaccess",
    "../../../etc/passwd",
    "C:\\Windows\\win.ini",
    "a/b/c.svg",
    'a"; filename="b.html',
    "a'; filename*=UTF-8''b.html",
    "a%0d%0aSet-Cookie: x=1",
    "a%22%3E%3Cscript%3E.html",
    "<script>alert(1)</script>",
    "con",
    "x.pdf.exe",
    "=cmd|' /C calc'!A1",
    "Nghị quyết số 12/NQ-HĐND “về đê điều” 😀",
    "a" * 100,
]
"""Of files, as an editor may name them in an article."""


@pytest.fixture(scope="module")
def downloads(system: Any) -> dict[str, str]:
    """Publish an article with a file for each hostile content; return their URLs."""
    command = [sys.executable, "-m", "services.ingest", "token", "create", "--name", "Tệp", "--scope", "admin"]
    stores = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    environment = {**system.environment, **stores}
    token = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()

    def call(path: str, body: Any) -> Any:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        answer = system.request("POST", f"/api{path}", sent, authorization=f"Bearer {token}", content_type=kind)
        assert answer.status in (200, 201), answer.text
        return answer.json()

    contents = {name: pdf(uuid.uuid4().hex.encode()) for name in HOSTILE} | ACCEPTED
    contents |= {name: pdf(uuid.uuid4().hex.encode()) for name in NAMES}
    items = {name: call("/files?file_name=tai-lieu.pdf", content) for name, content in contents.items()}
    body = [{"type": "file", "media": one["id"], "name": name} for name, one in items.items()]
    given = {"site": "haihau", "section": "tin-tuc", "title": "Bài có tệp độc", "body": body}
    article = call("/articles", given)
    call(f"/articles/{article['id']}/publish", {"version": 1})
    status = system.get(f"/api/articles/{article['id']}/publication?wait=15s", authorization=f"Bearer {token}").json()
    assert status["status"] == "live", status
    for name, content in HOSTILE.items():
        (system.home / "media/files" / items[name]["id"]).write_bytes(content)
    return {name: one["url"] for name, one in items.items()}


def test_hostile_file_is_a_download_wherever_it_is_opened(
    system: Any, browser: Browser, downloads: dict[str, str]
) -> None:
    """Opened, framed, embedded and loaded as a script, each file is saved or blocked, and no script of it runs."""
    page = browser.new_page(accept_downloads=True)
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    for name, content in (HOSTILE | ACCEPTED).items():
        url = downloads[name]
        page.goto(system.url + "/so-do-site")
        title = page.title()
        with page.expect_download(timeout=60_000) as started:
            page.evaluate("url => { location.href = url }", url)
        assert started.value.suggested_filename.endswith((".pdf", ".docx", ".zip")), name
        assert Path(started.value.path()).read_bytes() == content, name
        page.goto(system.url + "/so-do-site")
        for tag, attribute in (("iframe", "src"), ("object", "data"), ("embed", "src"), ("img", "src")):
            page.evaluate(
                "([tag, attribute, url]) => { const one = document.createElement(tag); one[attribute] = url;"
                " document.body.append(one) }",
                [tag, attribute, url],
            )
        with pytest.raises(Error):
            page.add_script_tag(url=url)
        with pytest.raises(Error):
            page.add_script_tag(url=url, type="module")
        page.wait_for_timeout(200)
        assert page.evaluate("window.pwned") is None, name
        assert (page.title(), dialogs) == (title, []), name
        framed = [frame.content() for frame in page.frames if frame.url not in ("", "about:blank", page.url)]
        assert not any("PWNED" in one for one in framed), name
    page.close()


def test_hostile_name_is_that_of_a_harmless_download(system: Any, browser: Browser, downloads: dict[str, str]) -> None:
    """Whatever an editor calls a file, it is saved as one file of its own type, below the folder of downloads."""
    context = browser.new_context(accept_downloads=True)
    context.add_cookies([{"name": "reader", "value": "1", "url": system.url}])
    page = context.new_page()
    page.goto(system.url + "/so-do-site")
    for name in NAMES:
        with page.expect_download(timeout=60_000) as started:
            page.evaluate("url => { location.href = url }", downloads[name])
        saved = started.value.suggested_filename
        assert saved.endswith(".pdf"), (name, saved)
        assert saved.isprintable(), (name, saved)
        assert not set(saved) & set('/\\:*?"<>|'), (name, saved)
        got = system.get(downloads[name], cookie="reader=1")
        headers = [header for header, _ in got.pairs]
        assert got.headers["content-disposition"].startswith("attachment; "), name
        assert [header.lower() for header in headers].count("content-disposition") == 1, name
        assert "sandbox" in got.headers["content-security-policy"], name
        assert got.headers["x-content-type-options"] == "nosniff", name
        assert "set-cookie" not in got.headers, name
    assert [one["name"] for one in context.cookies()] == ["reader"]
    context.close()
