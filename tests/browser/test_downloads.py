"""Hostile documents in real Chromium: each is a download, and nothing in it runs or is shown.

Uploads of such files are refused. Here their bytes take the place of an accepted one, as if the check had a fault.
"""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, sync_playwright

from tests.ingest.files.samples import docx, pdf, zipped

ROOT = Path(__file__).parent.parent.parent
SCRIPT = b"document.title = 'PWNED'; window.pwned = 1; parent.pwned = 1;"
HOSTILE = {
    "HTML in a PDF's name": b"<!doctype html><title>x</title><script>" + SCRIPT + b"</script>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>" + SCRIPT + b"</script></svg>",
    "a script": SCRIPT,
    "a PDF after HTML": b"<html><script>" + SCRIPT + b"</script></html>" + pdf(),
    "a PDF that is a ZIP": pdf() + zipped({"a.html": b"<script>" + SCRIPT + b"</script>"}),
    "a macro document": docx({"word/vbaProject.bin": b"x"}),
    "XHTML": b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><script>" + SCRIPT + b"</script></html>",
}


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

    items = {name: call("/files?file_name=tai-lieu.pdf", pdf(uuid.uuid4().hex.encode())) for name in HOSTILE}
    body = [{"type": "file", "media": one["id"], "name": name} for name, one in items.items()]
    given = {"site": "haihau", "section": "tin-tuc", "title": "Bài có tệp độc", "body": body}
    article = call("/articles", given)
    call(f"/articles/{article['id']}/publish", {"version": 1})
    status = system.get(f"/api/articles/{article['id']}/publication?wait=15s", authorization=f"Bearer {token}").json()
    assert status["status"] == "live", status
    for name, one in items.items():
        (system.home / "media/files" / one["id"]).write_bytes(HOSTILE[name])
    return {name: one["url"] for name, one in items.items()}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        yield chromium
        chromium.close()


def test_hostile_file_is_a_download_wherever_it_is_opened(
    system: Any, browser: Browser, downloads: dict[str, str]
) -> None:
    """Opened, framed, embedded and loaded as a script, each file is saved or blocked, and no script of it runs."""
    page = browser.new_page(accept_downloads=True)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for name, url in downloads.items():
        page.goto(system.url + "/so-do-site")
        title = page.title()
        with page.expect_download(timeout=15_000) as started:
            page.evaluate("url => { location.href = url }", url)
        assert started.value.suggested_filename.endswith(".pdf"), name
        saved = started.value.path()
        assert Path(saved).read_bytes() == HOSTILE[name], name
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
