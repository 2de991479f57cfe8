"""Plain text of an article for the search, and labels of sources."""

import msgspec
import pytest

from services.render.pages.article_text import other_lines, prose_lines, source_label
from services.render.pages.theme_check import sample_article
from shared.articles import Source


def test_lines_of_article_have_every_visible_text_once() -> None:
    """Texts of all blocks are prose, and captions, sources and authors are not; markup and empty lines are neither."""
    article = sample_article("x")
    prose, others = prose_lines(article), other_lines(article)
    for text in ("Text", "Heading", "One", "Two", "Words", "A", "1", "2"):
        assert text in prose, text
    for text in ("Caption", "Alt", "Lost", "Video", "File", "Somebody", "Name"):
        assert text in others, text
    assert others[:2] == ["Caption", "Alt"]  # the lead image is the first
    assert all([*prose, *others])
    assert not [line for line in (*prose, *others) if "<" in line]


def test_lines_of_empty_article_are_none() -> None:
    """An article without lead, body, source and authors has no lines."""
    fields = {"subtitle": "", "lead": "", "body": [], "lead_image": None, "source": None, "authors": []}
    plain = msgspec.structs.replace(sample_article("x"), **fields)
    assert prose_lines(plain) == other_lines(plain) == []


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
