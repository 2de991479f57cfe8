"""Normalisation of input text."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.content import normalization as module
from services.ingest.content.normalization import (
    MARKS_MAX,
    TextError,
    check_text,
    clean_line,
    clean_text,
    without_long_marks,
    without_unseen,
)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        (" \u00a0 \t ", ""),
        ("Ba\u0323n", "Bạn"),
        ("a\u200bb\u2060c\ufeffd\u00ade", "abcde"),
        ("a\r\nb\rc\nd", "a b c d"),
        ("  a \t b\u3000c ", "a b c"),
    ],
)
def test_clean_line_is_one_trimmed_nfc_line(text: str, cleaned: str) -> None:
    """White space is collapsed, zero-width characters are removed, and the text is NFC."""
    assert clean_line(text) == cleaned


def test_clean_text_keeps_lines_and_normalises_their_ends() -> None:
    """All kinds of line ends become line feeds; indentation and blank lines stay."""
    assert clean_text("a\r\n  b\r\rc\u2028d\u2029e\n") == "a\n  b\n\nc\nd\ne\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ab\x00", "the control character U+0000 at position 2"),
        ("\x7f", "the control character U+007F at position 0"),
        ("a\x85", "the control character U+0085 at position 1"),
        ("a\u202eb", "the direction character U+202E at position 1"),
        ("\u2069", "the direction character U+2069 at position 0"),
        ("a\ud800", "the lone surrogate U+D800 at position 1"),
    ],
)
def test_clean_text_invalid_character_is_named_with_position(text: str, message: str) -> None:
    """Control and direction characters and lone surrogates are rejected by code point and position."""
    with pytest.raises(TextError) as raised:
        clean_text(text)
    assert str(raised.value) == f"has {message}"


def test_clean_text_of_printable_characters_needs_no_expressions() -> None:
    """No character that is rejected, removed or replaced counts as printable, which is what the short way relies on."""
    patterns = (module._CONTROL, module._DIRECTION, module._INVISIBLE, module._LINE_ENDS)
    printable = [chr(code) for code in range(0x110000) if chr(code).isprintable()]
    text = "".join(printable)
    assert len(printable) > 100_000
    assert not any(pattern.search(text) for pattern in patterns)
    assert text.encode()


@given(st.text(max_size=80))
def test_clean_line_is_idempotent(text: str) -> None:
    """Cleaned text is NFC, encodable, and stays the same when cleaned again."""
    try:
        cleaned = clean_line(text)
    except TextError:
        return
    assert clean_line(cleaned) == cleaned
    assert unicodedata.is_normalized("NFC", cleaned)
    assert cleaned.encode().decode() == cleaned


def test_clean_text_with_many_combining_marks_is_rejected_soon() -> None:
    """To sort a million marks into their order takes Python half an hour; text of any language has a few in a row."""
    begun = time.process_time()
    for marks in ("\u0300\u0316" * 500_000, "\u0300" * 500_000 + "\u0316" * 500_000):
        with pytest.raises(TextError, match=f"more than {MARKS_MAX} combining marks in a row at position 2"):
            clean_line(f"ab{marks}")
    assert time.process_time() - begun < 2
    most = "a" + "\u0316" * MARKS_MAX
    assert clean_text(f"{most} {most}") == f"{most} {most}"
    assert without_long_marks(f"{most}\u0300\u0301b") == f"{most}b"


def test_combining_marks_are_no_letters() -> None:
    """Each mark is among the characters in which rows of them are searched."""
    marks = [chr(code) for code in range(0x110000) if unicodedata.combining(chr(code))]
    assert len(marks) > 800
    assert all(module._MARKS.fullmatch(mark * (MARKS_MAX + 1)) for mark in marks)


@given(st.text(st.characters(codec=None) | st.sampled_from("\u202e\u2066\u2069\x00\x85\ufffe\ud800\n")))
def test_text_without_unseen_characters_is_accepted(text: str) -> None:
    """Whatever was pasted can be stored, and nothing but characters that nobody sees is left out."""
    cleaned = without_unseen(text)
    check_text(cleaned)
    assert without_unseen(cleaned) == cleaned
    assert [one for one in text if one.isprintable()] == [one for one in cleaned if one.isprintable()]
