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


def prose_lines(article: Article) -> list[str]:
    """Return the lines of plain text below the title that are read one after the other."""
    lines = [article.subtitle, article.lead]
    for block in article.body:
        lines += map(inline_text, inline_html_parts(block))
    return [line for line in lines if line]


def other_lines(article: Article) -> list[str]:
    """Return the lines that accompany the text: captions, names of files and videos, sources and authors."""
    figures = [article.lead_image] if article.lead_image else []
    lines = [line for block in (*figures, *article.body) for line in _beside(block)]
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


def _beside(block: Block) -> Iterator[str]:
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
        case Quote():
            yield block.cite or ""
