"""Exports articles for other systems: ninjs 3.1 for agencies, schema.org for search engines. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

from shared.article_identity import local_iso, permanent_id, published_instant
from shared.articles import (
    Article,
    Block,
    BulletList,
    Cell,
    Embed,
    Figure,
    File,
    Heading,
    Item,
    Paragraph,
    Quote,
    Related,
    Table,
    article_path,
    files_of,
    updated_at,
)
from shared.embeds import embed_url
from shared.sites import Site
from shared.structured_data import news_article
from shared.text import inline_html_parts, inline_text

NINJS = "https://www.iptc.org/std/ninjs/ninjs-schema_3.1.json"
Targets = Mapping[str, Article]
"""Articles by ID: those that a body shows as cards and that are public."""
_NO_TARGETS: Targets = MappingProxyType({})
_OWN_LINK = re.compile(r'(<a (?:[^<>]* )?href=")(?=/(?!/))')
PUB_STATUS = {"published": "usable", "killed": "canceled"}


def ninjs(article: Article, site: Site, public_url: str, targets: Targets = _NO_TARGETS) -> dict[str, Any]:
    """Return an article as ninjs 3.1; `targets`: the public ones of those that its body shows."""
    html, text = body_html(article, public_url, targets), body_text(article, targets)
    headlines = [("main", article.title), ("sub", article.subtitle), ("kicker", article.kicker)]
    authors = [{"name": author.name, **_given(roles=author.role and [author.role])} for author in article.authors]
    section = site.section(article.section)
    subjects = [{"name": section.name if section else article.section, "code": article.section}]
    subjects += [{"name": tag} for tag in article.tags]
    return {
        "uri": permanent_id(article, site),
        "standard": {"name": "ninjs", "version": "3.1", "schema": NINJS},
        "type": {"photo": "picture", "video": "video"}.get(article.kind, "text"),
        "version": str(article.version),
        "language": article.language,
        "pubStatus": PUB_STATUS.get(article.state, "withheld"),
        "urgency": article.priority,
        "headlines": [{"role": role, "value": value} for role, value in headlines if value],
        "descriptions": [{"role": "summary", "value": article.lead}] if article.lead else [],
        "bodies": [
            {"role": "main", "contentType": "text/html", "charCount": len(html), "value": html},
            {
                "role": "main",
                "contentType": "text/plain",
                "charCount": len(text),
                "wordCount": len(text.split()),
                "value": text,
            },
        ],
        "subjects": subjects,
        "firstCreated": _instant(article.created_at or article.modified_at),
        "versionCreated": _instant(updated_at(article) if article.state == "published" else article.modified_at),
        **_given(
            contentCreated=_instant(published_instant(article)),
            embargoedUntil=_instant(article.embargo_until),
            expires=_instant(article.unpublish_at),
            by=", ".join(author.name for author in article.authors),
            people=authors,
            places=article.place and [{"name": article.place}],
            infoSources=article.source and [{"name": article.source.name, **_given(uri=article.source.url)}],
            altIds=article.external_id and [{"role": article.source_system, "value": article.external_id}],
            copyrightHolder=article.rights and article.rights.holder,
            copyrightNotice=article.rights and article.rights.notice,
            associations=[
                _picture(figure, number, public_url)
                for number, figure in enumerate(_figures(article), 1)
                if figure.image
            ]
            + [_document(file, number, public_url) for number, file in enumerate(files_of(article), 1)]
            + [_related(one, number, site, public_url) for number, one in enumerate(targets.values(), 1)],
            renditions=[{"name": "web", "href": public_url + article_path(article), "contentType": "text/html"}],
        ),
    }


def _picture(figure: Figure, number: int, public_url: str) -> dict[str, Any]:
    image = figure.image
    assert image is not None
    sizes: list[tuple[Any, ...]] = [("original", image.url, image.width, image.height, None)]
    sizes += [(f"{one.width}w", one.url, one.width, one.height, one.type) for one in image.renditions]
    for crop in image.crops:
        name = crop.ratio.replace(":", "x")
        sizes.append((name, crop.url, crop.width, crop.height, "image/jpeg"))
    return {
        "name": f"picture-{number}",
        "uri": absolute(image.url, public_url),
        "type": "picture",
        **_given(
            headlines=figure.caption and [{"role": "caption", "value": figure.caption}],
            descriptions=image.alt and [{"role": "alt", "value": image.alt}],
            by=figure.credit,
        ),
        "renditions": [
            {"name": name, "href": absolute(url, public_url), **_given(width=width, height=height, contentType=kind)}
            for name, url, width, height, kind in sizes
        ],
    }


def _document(file: File, number: int, public_url: str) -> dict[str, Any]:
    """Return a document that the article offers. ninjs has no type for it: the rendition has its media type."""
    href = absolute(file.url, public_url)
    return {
        "name": f"document-{number}",
        "uri": href,
        "type": "component",
        "headlines": [{"role": "main", "value": file.name}],
        "renditions": [
            {"name": "original", "href": href, **_given(contentType=file.media_type, sizeInBytes=file.bytes)}
        ],
    }


def _related(article: Article, number: int, site: Site, public_url: str) -> dict[str, Any]:
    """Return another article that the body shows."""
    return {
        "name": f"related-{number}",
        "uri": permanent_id(article, site),
        "type": "text",
        "headlines": [{"role": "main", "value": article.title}],
        "renditions": [{"name": "web", "href": public_url + article_path(article), "contentType": "text/html"}],
    }


def jsonld(article: Article, site: Site, public_url: str, targets: Targets = _NO_TARGETS) -> dict[str, Any]:
    """Return an article as schema.org NewsArticle (JSON-LD): as on its page, with the text of its body."""
    created = _given(dateCreated=article.created_at and local_iso(article.created_at, site))
    page = news_article(article, site, public_url, mentioned=list(targets.values()))
    return {**page, "articleBody": body_text(article, targets), **created}


def _figures(article: Article) -> list[Figure]:
    lead = [article.lead_image] if article.lead_image is not None else []
    return [*lead, *(block for block in article.body if isinstance(block, Figure))]


def body_html(article: Article, public_url: str, targets: Targets = _NO_TARGETS) -> str:
    """Return the body as plain HTML with absolute URLs, independent of the theme."""
    parts = (_html(block, public_url, targets) for block in article.body)
    return _OWN_LINK.sub(lambda found: found[1] + public_url, "\n".join(part for part in parts if part))


def _html(block: Block, public_url: str, targets: Targets) -> str:  # noqa: PLR0911 - one for each kind of block
    match block:
        case Paragraph():
            return f"<p>{block.html}</p>"
        case Heading():
            return f"<h{block.level}>{block.html}</h{block.level}>"
        case Figure():
            image = block.image
            shown = (
                Markup('<img src="{}" alt="{}">').format(absolute(image.url, public_url), image.alt) if image else ""
            )
            return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(shown, block.caption)
        case BulletList():
            return _list(block.items, block.ordered)
        case Quote():
            cite = Markup("<footer>{}</footer>").format(block.cite) if block.cite else ""
            return f"<blockquote>{''.join(f'<p>{one}</p>' for one in block.paragraphs)}{cite}</blockquote>"
        case Table():
            caption = Markup("<caption>{}</caption>").format(block.caption) if block.caption else ""
            rows = ("".join(map(_cell, row)) for row in block.rows)
            return f"<table>{caption}{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"
        case Embed():
            url = embed_url(block)
            return Markup('<p><a href="{}">{}</a></p>').format(url, block.title or url)
        case File():
            return Markup('<p><a href="{}">{}</a></p>').format(absolute(block.url, public_url), block.name)
        case Related():
            one = targets.get(block.article)
            link = Markup('<p><a href="{}">{}</a></p>')
            return link.format(public_url + article_path(one), one.title) if one is not None else ""


def _cell(cell: Cell) -> str:
    tag = "th" if cell.header else "td"
    spans = {"colspan": cell.colspan, "rowspan": cell.rowspan}
    attributes = "".join(f' {name}="{cells}"' for name, cells in spans.items() if cells > 1)
    return f"<{tag}{attributes}>{cell.html}</{tag}>"


def _list(items: list[Item], ordered: bool) -> str:
    tag = "ol" if ordered else "ul"
    inside = "".join(f"<li>{one.html}{_list(one.items, one.ordered) if one.items else ''}</li>" for one in items)
    return f"<{tag}>{inside}</{tag}>"


def body_text(article: Article, targets: Targets = _NO_TARGETS) -> str:
    """Return the body as plain text, one line per paragraph, item or cell, or title of a related article."""
    lines = []
    for block in article.body:
        lines += [inline_text(html) for html in inline_html_parts(block)]
        if isinstance(block, Related) and (one := targets.get(block.article)) is not None:
            lines.append(one.title)
    return "\n".join(line for line in lines if line)


def absolute(url: str, public_url: str) -> str:
    """Return an absolute URL."""
    return public_url + url if url.startswith("/") else url


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
