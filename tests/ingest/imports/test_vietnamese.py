"""Warnings of imports in Vietnamese: each one that the code makes is known."""

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from services.ingest.imports.vietnamese import MESSAGES, message_in_vietnamese
from services.ingest.imports.warnings import make_warning
from services.ingest.imports.word.conversion import _LOST

FOLDER = Path(__file__).parents[3] / "services/ingest/imports"
MAKERS = {"make_warning": 1, "_warn": 1, "_leave_out": 0, "Lost": 1}
"""Functions that make a warning, and which of their arguments is its message."""
ENGLISH = re.compile(r"\b(?:the|was|were|are|is|not|left out|kept|has|it)\b")


def texts(node: ast.AST, values: dict[str, list[ast.expr]]) -> list[str]:
    """Return the texts that an expression may have, with X1 for what is filled in; none if nobody knows."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(one) for one in product(*(texts(part, values) or ["X1"] for part in parts))]
        case ast.FormattedValue(value=value):
            return texts(value, values)
        case ast.IfExp(body=one, orelse=other):
            return [*texts(one, values), *texts(other, values)]
        case ast.Name(id=name):
            return [text for one in values.get(name, ()) for text in texts(one, {})]
    return []


def messages() -> set[str]:
    """Return the messages of the warnings that the code of imports makes."""
    return made_by(MAKERS) | {text.replace("{count}", "X1") for _, _, text in _LOST}


def made_by(makers: Mapping[str, int], *files: Path) -> set[str]:
    """Return the texts with which files, by default all of imports, call functions; of each the place of its text."""
    found: set[str] = set()
    for file in files or FOLDER.rglob("*.py"):
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for function in (one for one in ast.walk(tree) if isinstance(one, functions)):
            found |= set(_messages_of(function, makers))
    return found


def _messages_of(function: ast.AST, makers: Mapping[str, int]) -> Iterator[str]:
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        called: Any = node.func
        name = getattr(called, "id", getattr(called, "attr", ""))
        if name in makers and len(node.args) > makers[name]:
            yield from texts(node.args[makers[name]], values)


def test_each_warning_of_an_import_is_known_in_vietnamese() -> None:
    """No message that a reader of a format makes is left in English."""
    found = messages()
    assert len(found) > 60
    left = {one: said for one in found if ENGLISH.search(said := message_in_vietnamese(one).replace("X1", ""))}
    assert left == {}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "it is a draft, not public: wp:status is 'draft'; wp:post_password is set; it has no text",
            "là bản nháp, chưa công khai: wp:status là 'draft'; wp:post_password có giá trị; không có nội dung",
        ),
        (
            "it is public here, but at its source a is 'b'; c is missing; editors have changed it since: withdraw it",
            "đang công khai ở đây, nhưng ở nguồn a là 'b'; thiếu c; biên tập viên đã sửa bài: hãy gỡ xuống",
        ),
        ("symbols of special fonts were left out (3 times)", "đã bỏ ký hiệu của phông đặc biệt (3 lần)"),
        (
            "a picture was left out: '/a {b}\n.jpg' is not a web address",
            "ảnh đã bỏ: '/a {b}\n.jpg' không phải địa chỉ web",
        ),
        ("something that nobody knows", "something that nobody knows"),
    ],
)
def test_parts_of_a_message_are_translated_or_kept(message: str, expected: str) -> None:
    """Reasons inside of a message are messages; addresses, names and values stay as they are."""
    assert message_in_vietnamese(message) == expected


def test_translations_name_the_same_parts() -> None:
    """A translation has no part that the message has not, and each message is found under itself."""
    parts = re.compile(r"\{\w+\}")
    for english, vietnamese in MESSAGES.items():
        assert set(parts.findall(english)) >= set(parts.findall(vietnamese)), english
        assert message_in_vietnamese(parts.sub("X1", english)) != english, english


async def test_warnings_of_the_api_are_in_the_language_of_the_request(api: Any) -> None:
    """A browser in Vietnamese reads them in Vietnamese, a program in English, and the response names the language."""
    said = {}
    for language in ("vi", "en"):
        sent = f'<p>Một <a href="trang{language}.html">liên kết</a>.</p>'.encode()
        answer = await api.call(
            "POST",
            "/imports?site=haihau&section=tin-tuc&format=html&dry_run=true",
            b"<html><body><article><h1>Ten bai</h1>" + sent * 3 + b"</article></body></html>",
            "admin",
            content_type="application/octet-stream",
            accept_language=language,
        )
        assert (answer.status, answer.headers["content-language"]) == (200, language), answer.body
        said[language] = answer.body.decode()
    assert "liên kết đã bỏ, chữ được giữ" in said["vi"]
    assert "a link was left out, its text was kept" in said["en"]
    assert make_warning("text", "x").message == "x"
