"""The messages of fields: every code is raised, and has both languages with the same values."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingest.content.field_messages import MESSAGES, VALUE_CHARACTERS_MAX, field_message

INGEST = Path(__file__).parent.parent.parent.parent / "services/ingest"
TABLE = INGEST / "content/field_messages.py"
BUILDERS = INGEST / "content/errors.py"


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Yield the modules of ingest."""
    for file in sorted(INGEST.rglob("*.py")):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


def test_every_code_is_raised_and_every_raised_code_has_messages() -> None:
    """A code that nothing raises fails, and so do an unknown one and an error without a code."""
    texts, built = set(), set()
    for file, tree in trees():
        for node in ast.walk(tree) if file != TABLE else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            if isinstance(node, ast.JoinedStr):  # the end of a code depends on a value
                texts.add("".join("*" if isinstance(one, ast.FormattedValue) else one.value for one in node.values))  # type: ignore[attr-defined]
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            assert node.func.id != "FieldError" or file == BUILDERS, (file, "field_error has the message of a code")
            place = {"field_error": 1, "invalid": 1, "invalid_value": 0, "TextError": 0, "MarkupError": 0}
            if node.func.id in place and isinstance(node.args[place[node.func.id]], ast.Constant):
                built.add(node.args[place[node.func.id]].value)  # type: ignore[attr-defined]
    assert len(built) > 50
    assert built <= set(MESSAGES)
    patterns = [re.compile(re.escape(one).replace(r"\*", ".+")) for one in texts if "*" in one and "_" in one]
    assert {
        code for code in MESSAGES if code not in texts and not any(one.fullmatch(code) for one in patterns)
    } == set()


def test_messages_exist_in_both_languages() -> None:
    """Codes are words with underscores; sentences are no whole ones, and the Vietnamese names no value of its own."""
    for code, (english, vietnamese) in MESSAGES.items():
        assert re.fullmatch(r"[a-z]+(?:_[a-z]+)*", code), code
        assert english != vietnamese, code
        assert not english.endswith("."), code
        assert not vietnamese.endswith("."), code
        values = re.findall(r"\{(\w+)\}", english)
        assert set(re.findall(r"\{(\w+)\}", vietnamese)) <= set(values), code
        named = {name: 1 if name in ("limit", "size") else "x" for name in values}
        assert "{" not in field_message(code, named), code
        assert "{" not in field_message(code, named, vietnamese=True), code


def test_message_has_the_separator_of_the_language() -> None:
    """Numbers have a comma in English and a point in Vietnamese; long texts are cut; a missing value is an error."""
    sizes = {"limit": 12_000, "size": 1_234_567}
    assert field_message("too_many_tags", sizes) == "must have at most 12,000 tags (got 1,234,567)"
    shown = field_message("too_many_tags", sizes, vietnamese=True)
    assert shown == "có tối đa 12.000 thẻ HTML (đang có 1.234.567)"
    assert len(field_message("unknown_site", {"site": "x" * 9_999})) < VALUE_CHARACTERS_MAX + 50
    assert field_message("unknown_site", {"site": "{size}"}) == "unknown site {size}"
    with pytest.raises(KeyError):
        field_message("too_many_tags", {"limit": 1})
