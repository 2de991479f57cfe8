"""The words of the newsroom in Vietnamese: one for each thing, in its pages and in its scripts."""

import pytest

from tests.document_paths import ROOT

CLIENT = "services/ingest/newsroom/client/src/texts.js"
TEXTS = (CLIENT, "shared/locale/vi/LC_MESSAGES/presstally.po", "docs/newsroom.md")
TERMS = {"điểm nét": "tâm ảnh", "tít phụ": "đề mục", "người xem ": "bạn đọc ", "người đọc": "bạn đọc"}


@pytest.mark.parametrize("path", TEXTS)
def test_vietnamese_words_of_the_newsroom_are_one_for_each_thing(path: str) -> None:
    """What an editor reads on one page is called so on all others."""
    text = (ROOT / path).read_text(encoding="utf-8").lower()
    assert [f"{other!r}; write: {term!r}" for other, term in TERMS.items() if other in text] == []
