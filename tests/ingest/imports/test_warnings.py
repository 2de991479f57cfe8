"""Warnings of an import."""

import msgspec

from services.ingest.imports.warnings import MESSAGE_CHARACTERS_MAX, count_by_kind, make_warning


def test_make_warning_is_short_and_counted_by_kind() -> None:
    """A warning has a message of limited length; its field precedes it; warnings are counted by kind."""
    warning = make_warning("date", "is not a time " + "x" * 1_000, "pubDate", line=7)
    assert len(warning.message) == MESSAGE_CHARACTERS_MAX
    assert str(warning).startswith("pubDate is not a time")
    assert count_by_kind([warning, make_warning("state", "it is a draft")]) == {"date": 1, "state": 1}
    assert msgspec.json.decode(msgspec.json.encode(warning))["line"] == 7
