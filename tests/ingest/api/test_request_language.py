"""Warnings and reasons of refusals in the language of the request."""

import ast
from pathlib import Path
from typing import Any

import pytest

from services.ingest.api.request_language import REFUSED_FILES, REFUSED_IMAGES
from services.ingest.files.rules import WARNINGS
from tests.ingest.files.samples import docx, hostile

INGEST = Path(__file__).parent.parent.parent.parent / "services/ingest"
VIETNAMESE, ENGLISH = "vi-VN,vi;q=0.9,en;q=0.5", "en"


def reasons(folder: str, *names: str) -> set[str]:
    """Return the reasons that calls of these names have in a package: the one word among their texts."""
    found = set()
    for file in (INGEST / folder).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                given = [*node.args[1:], *(one.value for one in node.keywords if one.arg == "reason")]
                found |= {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def test_every_reason_of_a_refused_upload_has_a_sentence_in_vietnamese() -> None:
    """The person who uploads learns what to do, whatever the reason; no sentence is left over."""
    assert reasons("files", "FileError", "refuse") == set(REFUSED_FILES)
    assert reasons("media", "ImageError", "RejectedImage") | {"damaged"} == set(REFUSED_IMAGES)


@pytest.mark.parametrize(("language", "fault"), [(VIETNAMESE, "máy tìm kiếm cắt sau 110"), (ENGLISH, "truncate after")])
async def test_warnings_of_an_article_have_the_language_of_the_request(api: Any, language: str, fault: str) -> None:
    """The response to a change, a reading and a full list say the same."""
    sent = {"site": "haihau", "section": "tin-tuc", "title": "T" * 130}
    made = await api.call("POST", "/articles", sent, accept_language=language)
    article = made.json()
    assert fault in article["warnings"][0]["fault"]
    assert (made.headers["content-language"], made.headers["vary"]) == (language[:2], "accept-language")
    read = await api.call("GET", f"/articles/{article['id']}", scope="read", accept_language=language)
    listed = await api.call("GET", "/articles?full=true", scope="read", accept_language=language)
    assert read.json()["warnings"] == listed.json()["articles"][0]["warnings"] == article["warnings"]


async def test_warnings_of_menus_and_files_have_the_language_of_the_request(api: Any) -> None:
    """Entries that pages do not show, and files that need a look, are explained in Vietnamese and in English."""
    page = (await api.call("POST", "/pages", {"title": "Giới thiệu"}, "publish")).json()
    menu = {"items": [{"kind": "page", "target": page["id"]}]}
    shown = await api.call("PUT", "/menus/main", menu, "publish", if_match="*", accept_language=VIETNAMESE)
    assert shown.json()["warnings"][0]["reason"] == "trang 'Giới thiệu' chưa công khai"
    content = docx({"word/embeddings/a.xlsx": b"PK\x03\x04"})
    for language, warning in ((ENGLISH, 0), (VIETNAMESE, 1)):
        stored = await api.call("POST", "/files", content, "write", accept_language=language)
        assert stored.json()["warnings"] == [list(WARNINGS.items())[3][warning]], stored.body
    listed = await api.call("GET", "/files", scope="read", accept_language=VIETNAMESE)
    assert listed.json()["files"][0]["warnings"] == stored.json()["warnings"]


async def test_refused_upload_says_in_vietnamese_what_to_do(api: Any) -> None:
    """A document with macros, a photo of a phone in HEIC and a page of HTML are named, not only refused."""
    heic = b"\x00\x00\x00\x18ftypheic" + bytes(20)
    cases = [("/files", hostile("a .doc with macros"), "macro"), ("/media", heic, "HEIC"), ("/files", b"<html>", "PDF")]
    for path, content, word in cases:
        refused = await api.call("POST", path, content, "write", accept_language=VIETNAMESE)
        assert word in refused.json()["detail"], refused.body
        assert "hãy" in refused.json()["detail"]
