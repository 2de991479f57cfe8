"""When what readers read of an article last changed: title, lead, body, pictures, bylines, corrections. Pure.

Placement, section, tags, settings for search engines, names and URLs of files, crops and focus points are no text.
"""

from datetime import datetime
from typing import Any

import msgspec

from shared.articles import Article, Block, Figure, File, Image, updated_at


def with_text_date(live: Article, before: Article | None, now: datetime) -> Article:
    """Return a live copy with the time at which its text last changed.

    Args:
        live: The live copy after a change.
        before: The live copy before it; None: it becomes public for the first time. Then its text is as old as its
            first publication, here or elsewhere; here, if the date elsewhere is unknown.
        now: The time of the change.
    """
    if before is None:
        known = None if live.date_precision == "unknown" else live.published_at
        date = min(known or now, now)
    else:
        date = updated_at(before) if has_same_text(before, live) else now
    return msgspec.structs.replace(live, text_updated_at=date)


def has_same_text(one: Article, other: Article) -> bool:
    """Return whether two versions of an article read the same."""
    return _texts(one) == _texts(other) and all(map(_is_same_picture, _pictures(one), _pictures(other)))


def _texts(article: Article) -> tuple[Any, ...]:
    source = article.source
    return (
        (article.title, article.kicker, article.subtitle, article.lead, article.place),
        None if source is None else (source.label, source.name),
        [(author.name, author.role) for author in article.authors],
        [correction.text for correction in article.corrections],
        None if article.lead_image is None else _text(article.lead_image),
        [_text(block) for block in article.body],
    )


def _text(block: Block) -> object:
    """Return what readers see of a block, without its picture."""
    if isinstance(block, Figure):
        return "figure", block.caption, block.credit or "", None if block.image is None else block.image.alt
    if isinstance(block, File):
        return "file", block.media or block.url
    return block


def _pictures(article: Article) -> list[Image | None]:
    figures = [article.lead_image, *(block for block in article.body if isinstance(block, Figure))]
    return [None if figure is None else figure.image for figure in figures]


def _is_same_picture(one: Image | None, other: Image | None) -> bool:
    """Return whether two versions show the same picture: also one that was elsewhere and was fetched since."""
    if one is None or other is None or one.url == other.url:
        return (one is None) == (other is None)
    return one.media is None or other.media is None or one.media == other.media
