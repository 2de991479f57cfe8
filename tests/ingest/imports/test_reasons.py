"""Reasons of imports in Vietnamese: each one that the code makes is known."""

import re
from typing import Any

import msgspec
import pytest

from services.ingest.imports.readers.feeds import _NO_FEEDS
from services.ingest.imports.reasons import REASONS, reason_in_vietnamese
from tests.ingest.imports.test_vietnamese import ENGLISH, FOLDER, made_by

MAKERS = {
    **dict.fromkeys(("FormatError", "LeftOutError", "PageError", "DecodingError", "FileError", "ValueError"), 0),
    **dict.fromkeys(("_failed", "UnreadableItem", "LeftOutItem"), 1),
}
"""What makes a reason, and which of its arguments it is."""


def test_each_reason_of_an_import_is_known_in_vietnamese() -> None:
    """No reason for which a file or an item is refused is left in English."""
    found = {one for one in made_by(MAKERS) if one.replace("X1", "").strip(" ;:,")} | set(_NO_FEEDS.values())
    assert len(found) > 70
    said = {one: reason_in_vietnamese(one).replace("X1", "") for one in found}
    assert {one: text for one, text in said.items() if ENGLISH.search(text) or text == one.replace("X1", "")} == {}


def test_each_refusal_of_a_document_is_known_in_vietnamese() -> None:
    """A Word document is checked as an uploaded file is: why it is refused is no English either."""
    checks = [FOLDER.parent / "files" / name for name in ("archive.py", "xml_parts.py", "rules.py", "inspection.py")]
    found = made_by({"refuse": 0, "FileError": 0}, *checks) - {"is X1; X1"}
    found = {one for one in found if "PDF" not in one.partition(";")[0]}
    found.add("is an e-mail; supported types are PDF, ZIP")
    assert len(found) > 25
    said = {one: reason_in_vietnamese(one).replace("X1", "") for one in found}
    assert {one: text for one, text in said.items() if ENGLISH.search(text) or text == one.replace("X1", "")} == {}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (
            "title: must have at most 25 characters (got 1,300); body.0.media: is no block; lead: is required",
            "title: có tối đa 25 ký tự (đang có 1.300); body.0.media: is no block; lead: không được để trống",
        ),
        (
            "lead: must be a text; place: x is y",
            "lead: phải là văn bản; place: x is y",
        ),
        ("must have at most 8,000 bytes (got 9,123)", "có tối đa 8.000 byte (đang có 9.123)"),
        ("has no text; 3 comments were left out", "không có nội dung; đã bỏ 3 nhận xét"),
        ("wp:status has the unknown value 'x'", "wp:status có giá trị lạ 'x'"),
        ("is not JSON: {a} is no b", "không phải JSON: {a} is no b"),
        (
            "is in a folder whose a.json cannot be read: it has more than 1,000,000 characters",
            "nằm trong thư mục có a.json không đọc được: có hơn 1.000.000 ký tự",
        ),
        ("something that nobody knows", "something that nobody knows"),
        ("", ""),
    ],
)
def test_parts_of_a_reason_are_translated_or_kept(reason: str, expected: str) -> None:
    """Errors of fields and losses inside of a reason are translated; names, values and what is unknown stay."""
    assert reason_in_vietnamese(reason) == expected


def test_translated_reasons_name_the_same_parts() -> None:
    """A translation has the parts of its reason, and each reason is found under itself."""
    parts = re.compile(r"\{\w+\}")
    for english, vietnamese in REASONS.items():
        assert set(parts.findall(english)) >= set(parts.findall(vietnamese)), english
        assert reason_in_vietnamese(parts.sub("X1", english)) == parts.sub("X1", vietnamese), english


async def test_reasons_of_the_api_are_in_the_language_of_the_request(api: Any) -> None:
    """A failed item, and a file that no reader takes, say why in Vietnamese to browsers, in English to programs."""
    said: dict[str, list[str]] = {}
    for language in ("vi", "en"):
        failed = await _import(api, b'{"external_id": "1", "title": "", "published_at": "x"}', "a.ndjson", language)
        refused = await _import(api, b"INSERT INTO a", "a.sql", language)
        assert (failed.status, refused.status) == (200, 422)
        said[language] = [msgspec.json.decode(failed.body)["reason"], refused.json()["detail"]]
    assert said["vi"][0].startswith("title: có tối thiểu 1 ký tự (đang có 0); published_at: phải là thời điểm")
    assert said["en"][0].startswith("title: must have at least 1 characters (got 0); published_at: must be a time")
    assert said["vi"][1].startswith("Không nhập được tệp này: là bản kết xuất SQL")
    assert said["en"][1].startswith("The file is an SQL dump")


async def _import(api: Any, content: bytes, name: str, language: str) -> Any:
    path = f"/imports?site=haihau&section=tin-tuc&file_name={name}&dry_run=true"
    return await api.call(
        "POST", path, content, "admin", content_type="application/octet-stream", accept_language=language
    )
