"""Codes of problem documents: all that are raised are in the catalogue, and all problems have one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from services.ingest.api.error_codes import CATALOGUE, OF_STATUS, code_of, localized, wants_vietnamese
from services.ingest.content.field_messages import MESSAGES, field_message
from services.ingest.newsroom.article_state import STATES
from shared.articles import State

ROOT = Path(__file__).parent.parent.parent.parent
RAISED_BY = ("Problem", "refused")
GENERAL = {400, 403, 409, 422, 501, 502, 503}
"""Statuses that say too little by themselves: what is raised with them names a code, or has a field that does."""
TELLING = {"code", "errors", "missing_scope", "state"}
DERIVED = {"invalid_fields", "missing_scope", "invalid_token", "carry_over_conflict", "wrong_state"} | {
    "external_id_taken",
    "file_refused",
}


def calls() -> Iterator[ast.Call]:
    """Yield each call in ingest that makes a problem."""
    for file in sorted((ROOT / "services/ingest").rglob("*.py")):
        if "collector" in file.parts:  # it has no codes
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED_BY:
                yield node


def codes_named_by(call: ast.Call) -> set[str]:
    assert isinstance(call.func, ast.Name)
    given = [one.value for one in call.keywords if one.arg == "code"]
    if call.func.id == "refused":
        given.append(call.args[0])
    return {one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def named_codes() -> set[str]:
    return {code for call in calls() for code in codes_named_by(call)}


def test_every_raised_code_is_in_the_catalogue() -> None:
    """A code without sentences fails, and so does a sentence without its code; each status has a default."""
    named = named_codes()
    assert len(named) > 25
    assert named - set(CATALOGUE) == set()
    by_argument = {"token_refused", "provider_unavailable", "image_refused"}
    assert set(CATALOGUE) - named - DERIVED - set(OF_STATUS.values()) - by_argument == set()
    statuses = {call.args[0].value for call in calls() if call.args and isinstance(call.args[0], ast.Constant)}
    assert {one for one in statuses if isinstance(one, int)} <= set(OF_STATUS)


def test_every_problem_that_a_caller_tells_from_others_names_a_code() -> None:
    """In the API the default of a general status is used nowhere."""
    for call in calls():
        assert isinstance(call.func, ast.Name)
        status = call.args[0].value if isinstance(call.args[0], ast.Constant) else None
        if call.func.id == "Problem" and (status in GENERAL or status is None):
            named = {one.arg for one in call.keywords}
            assert named & TELLING or None in named, ast.unparse(call)


def test_catalogue_has_one_naming_and_both_languages() -> None:
    """Codes are words with underscores; both sentences exist, end with a period and differ."""
    for code, (english, vietnamese) in CATALOGUE.items():
        assert re.fullmatch(r"[a-z]+(?:_[a-z]+)*", code), code
        assert english.endswith("."), code
        assert vietnamese.endswith("."), code
        assert english != vietnamese, code


def test_codes_are_documented() -> None:
    """The page has a row for each code, with both sentences, and no other."""
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    for part, catalogue in zip(page.split("## Fields"), (CATALOGUE, MESSAGES), strict=True):
        rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE))
        assert rows == {code: " | ".join(sentences) for code, sentences in catalogue.items()}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"status": 422, "errors": [{"field": "title"}]}, "invalid_fields"),
        ({"status": 422, "errors": []}, "invalid"),
        ({"status": 403, "missing_scope": "write"}, "missing_scope"),
        ({"status": 403}, "forbidden"),
        ({"status": 409, "state": "draft", "possible_from": ["approved"]}, "wrong_state"),
        ({"status": 409, "conflicts": [{}]}, "carry_over_conflict"),
        ({"status": 409, "article": "a-1"}, "external_id_taken"),
        ({"status": 409}, "conflict"),
        ({"status": 422, "reason": "macros"}, "file_refused"),
        ({"status": 412, "version": 3}, "version_conflict"),
        ({"status": 418}, "bad_request"),
        ({}, "bad_request"),
    ],
)
def test_code_of_a_document_without_one_follows_from_its_fields(document: dict[str, Any], code: str) -> None:
    """Every problem has a code, also one that names none, and an unknown code is replaced."""
    assert code_of(document) == code
    assert localized({**document, "code": "invented"}, vietnamese=False)["code"] == code
    assert "{" not in localized(document, vietnamese=True)["detail"]


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", False),
        ("vi", True),
        ("vi-VN,vi;q=0.9,en;q=0.8", True),
        ("en-US,en;q=0.9,vi;q=0.8", False),
        ("fr, vi;q=0.5", True),
        ("*", False),
        ("vi;q=0", False),
        ("vi;q=x", False),
        ("vi;q=9.9.9, en", False),
        ("vi" * 1_000, False),
        (",;,q=1", False),
    ],
)
def test_vietnamese_is_chosen_by_the_header(accepted: str, expected: bool) -> None:
    """English is the default for programs; browsers that prefer Vietnamese get it; odd headers change nothing."""
    assert wants_vietnamese(accepted) is expected


async def test_every_problem_of_the_api_has_a_code(api: Any) -> None:
    """Routes, middlewares, the framework and unknown paths answer with a code, in both languages."""
    article = (await api.create("Bài"))["id"]
    cases: list[tuple[tuple[Any, ...], str]] = [
        (("GET", "/nothing"), "not_found"),
        (("PUT", "/people"), "method_not_allowed"),
        (("POST", "/articles", b"{"), "invalid_json"),
        (("POST", "/articles", {"site": "haihau"}), "invalid_fields"),
        (("POST", "/articles", b"[" * 70 + b"]" * 70), "invalid_json"),
        (("POST", "/articles", b"x" * 2_100_000), "too_large"),
        (("GET", "/articles?nothing=1"), "invalid_fields"),
        (("GET", f"/articles/{article}x"), "not_found"),
        (("POST", f"/articles/{article}/approve", {"version": 1}, "write"), "missing_scope"),
        (("POST", f"/articles/{article}/approve", {"version": 1}, "publish"), "wrong_state"),
        (("PATCH", f"/articles/{article}", {"title": "x"}), "version_required"),
        (("PATCH", f"/articles/{article}", {"title": "x", "version": 9}), "version_conflict"),
        (("POST", "/media", b"x"), "unsupported_type"),
        (("POST", "/sessions", {"email": "a@b.vn", "password": "x"}, None), "foreign_origin"),
        (("GET", "/people", None, None), "not_authenticated"),
    ]
    for request, code in cases:
        english = await api.call(*request)
        vietnamese = await api.call(*request, accept_language="vi-VN,vi;q=0.9,en;q=0.5")
        assert (english.json()["code"], vietnamese.json()["code"]) == (code, code), request
        assert english.headers["content-language"] == "en"
        assert vietnamese.headers["content-language"] == "vi"
        assert vietnamese.json()["detail"] != english.json()["detail"]
        assert int(english.headers["content-length"]) == len(english.body)
    fields = [{"field": "title", "code": "too_many_characters", "limit": 255, "size": 1300}]
    for language, fault in (
        ("en", "must have at most 255 characters (got 1,300)"),
        ("vi", "có tối đa 255 ký tự (đang có 1.300)"),
    ):
        sent = {"site": "haihau", "section": "tin-tuc", "title": "T" * 1300}
        refused = await api.call("POST", "/articles", sent, accept_language=language)
        assert refused.json()["errors"] == [{**fields[0], "fault": fault}]
    invalid = await api.call("GET", "/people", None, None, authorization="Bearer x")
    assert invalid.json()["code"] == "invalid_token"


def test_states_are_named_in_vietnamese() -> None:
    """A refused step names the state as the newsroom does, and each state has a name."""
    for state in get_args(State):
        name = STATES["vi"][state]
        said = localized({"code": "wrong_state", "state": state}, vietnamese=True)["detail"]
        assert said == f"Không làm được từ trạng thái “{name[0].lower()}{name[1:]}”."
        values = {"state": state, "version": 3, "due": "2026-11-30"}
        assert f"({name[0].lower()}{name[1:]})" in field_message("schedule_of_withdrawn", values, vietnamese=True)


def test_code_whose_sentence_has_a_value_is_raised_with_it() -> None:
    """A code has one meaning: nothing raises it without the values that its sentence names."""
    values_of = {code: set(re.findall(r"\{(\w+)\}", vietnamese)) for code, (_, vietnamese) in CATALOGUE.items()}
    assert {"state"} in values_of.values()
    for call in calls():
        for code in codes_named_by(call):
            lacking = values_of.get(code, set()) - {one.arg for one in call.keywords}
            assert not lacking, (code, lacking, ast.unparse(call))
