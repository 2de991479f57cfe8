"""Plain text of an article for the search, and labels of sources."""

import msgspec
import pytest

from services.render.pages.article_text import searchable_lines, source_label
from services.render.pages.theme_check import sample_article
from shared.articles import Source


def test_searchable_lines_have_every_visible_text_once() -> None:
    """Texts of all blocks, captions, sources and authors are found; markup and empty lines are not."""
    lines = searchable_lines(sample_article("x"))
    for text in ("Text", "Heading", "Caption", "Alt", "Lost", "One", "Two", "Words", "Somebody", "A", "1", "2"):
        assert text in lines, text
    assert {"Video", "File", "Name"} <= set(lines)
    assert lines[:2] == ["Caption", "Alt"]  # the lead image is the first
    assert all(lines)
    assert not [line for line in lines if "<" in line]


def test_searchable_lines_without_source_and_authors_are_those_of_the_body() -> None:
    """An article without body, source and authors has no lines."""
    plain = msgspec.structs.replace(sample_article("x"), body=[], lead_image=None, source=None, authors=[])
    assert searchable_lines(plain) == []


@pytest.mark.parametrize(
    ("source", "language", "label"),
    [(Source("Báo"), "vi", "Theo"), (Source("Báo", "Nguồn:"), "en", "Nguồn:"), (None, "vi", "")],
)
def test_source_label_default_is_in_the_articles_language(source: Source | None, language: str, label: str) -> None:
    """A label of its own stays; the default one is translated."""
    article = msgspec.structs.replace(sample_article("x"), source=source, language=language)
    assert source_label(article) == label
    english = msgspec.structs.replace(article, source=Source("Báo"), language="en")
    assert source_label(english) != "Theo"
