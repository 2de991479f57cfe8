"""Texts of an article: plain text, and the label of its source. Pure."""

from collections.abc import Iterator

from services.render.pages.translations import source_word
from shared.articles import (
    Article,
    Block,
    Embed,
    Figure,
    File,
    Quote,
    Source,
    Table,
)
from shared.text import inline_html_parts, inline_text


def searchable_lines(article: Article) -> list[str]:
    """Return the lines of plain text that a search finds besides title and lead."""
    figures = [article.lead_image] if article.lead_image else []
    lines = [line for block in (*figures, *article.body) for line in _lines(block)]
    if article.source:
        lines.append(f"{source_label(article)} {article.source.name}")
    lines += [author.name for author in article.authors]
    return [line for line in lines if line]


def source_label(article: Article) -> str:
    """Return the label before a source's name; the default one is in the article's language."""
    if article.source is None:
        return ""
    is_default = article.source.label == Source("").label
    return source_word(article.language) if is_default else article.source.label


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Figure():
            yield block.caption
            yield block.image.alt if block.image else ""
        case Table():
            yield block.caption
        case Embed():
            yield block.title
        case File():
            yield block.name
    yield from map(inline_text, inline_html_parts(block))
    if isinstance(block, Quote):
        yield block.cite or ""
