"""Every surface of every article that an import takes: well-formed XML, valid JSON, HTML without a parse error."""

import html
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.auth.actors import Actor
from services.ingest.content.errors import InvalidContentError
from services.ingest.content.validation import check_limits
from services.ingest.imports.detection import READERS
from services.ingest.imports.drafts import ImportOptions, to_draft
from services.ingest.imports.item import FormatError, ImportItem
from shared.articles import Article
from shared.http.problems import Problem
from tests.shared.test_surfaces import NOW, PIECES, SITE, TEXT, check_surfaces

Texts = dict[str, str]
NAMES = ("title", "lead", "body", "caption", "alt", "tag", "author", "place")


def ndjson(texts: Texts) -> bytes:
    figure = f"<figure><img src='/a.jpg' alt='{texts['alt']}'><figcaption>{texts['caption']}</figcaption></figure>"
    item = {
        "external_id": "a",
        "title": texts["title"],
        "lead": texts["lead"],
        "body": f"<p>{texts['body']}</p>{figure}",
    }
    return json.dumps({**item, "tags": [texts["tag"]], "authors": [texts["author"]]}).encode("utf-8", "replace")


def page(texts: Texts) -> bytes:
    return (
        f"<!doctype html><html><head><title>{texts['title']}</title><meta name='description' content='{texts['lead']}'>"
        f"<meta name='author' content='{texts['author']}'><meta property='article:tag' content='{texts['tag']}'></head>"
        f"<body><article><h1>{texts['title']}</h1><p>{texts['lead']}</p><p>{texts['body']} và nhiều chữ nữa.</p>"
        f"<figure><img src='/a.jpg' alt='{texts['alt']}'><figcaption>{texts['caption']}</figcaption></figure></article>"
    ).encode("utf-8", "replace")


def markdown(texts: Texts) -> bytes:
    head = {name: texts[name] for name in ("title", "author")} | {"description": texts["lead"], "tags": [texts["tag"]]}
    lines = "\n".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in head.items())
    return f'---\n{lines}\n---\n{texts["body"]}\n\n![{texts["alt"]}](/a.jpg "{texts["caption"]}")\n'.encode(
        "utf-8", "replace"
    )


def feed(texts: Texts) -> bytes:
    return (
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/' "
        "xmlns:content='http://purl.org/rss/1.0/modules/content/'><channel><title>x</title><item><guid>a</guid>"
        f"<title>{html.escape(texts['title'])}</title><description>{html.escape(texts['lead'])}</description>"
        f"<dc:creator>{html.escape(texts['author'])}</dc:creator><category>{texts['tag']}</category>"
        f"<content:encoded><![CDATA[<p>{texts['body']}</p><img src='/a.jpg' alt='{texts['alt']}'>]]></content:encoded>"
        "</item></channel></rss>"
    ).encode("utf-8", "replace")


def ninjs(texts: Texts) -> bytes:
    picture = {"type": "picture", "uri": "p", "headline": texts["alt"], "description_text": texts["caption"]}
    item = {"uri": "a", "type": "text", "headline": texts["title"], "description_text": texts["lead"]}
    item |= {"body_html": f"<p>{texts['body']}</p>", "byline": texts["author"], "located": texts["place"]}
    more = {"subject": [{"name": texts["tag"]}], "associations": {"featuremedia": picture}}
    return json.dumps({**item, **more}).encode("utf-8", "replace")


FILES: dict[str, Callable[[Texts], bytes]] = {
    "ndjson": ndjson,
    "html": page,
    "markdown": markdown,
    "feed": feed,
    "ninjs": ninjs,
}
REFUSED = (FormatError, InvalidContentError, Problem, msgspec.ValidationError, ValueError)


def taken(kind: str, texts: Texts) -> list[Article]:
    """Return the articles that an import makes of a file; what it refuses is missing."""
    options = ImportOptions(site=SITE, format=kind, file_name="a", actor=Actor("An", None), section="tin-tuc")
    found: list[Article] = []
    try:
        for item in READERS[kind](FILES[kind](texts), "a"):
            if isinstance(item, ImportItem):
                article = to_draft(item, options, NOW).article(1, 1, NOW)
                article = msgspec.structs.replace(article, state="published", first_published_at=NOW)
                check_limits(article, SITE)
                found.append(msgspec.json.decode(msgspec.json.encode(article), type=Article))
    except REFUSED:
        pass
    return found


@pytest.mark.parametrize("kind", FILES)
@settings(max_examples=15)
@given(texts=st.fixed_dictionaries(dict.fromkeys(NAMES, TEXT)))
def test_every_surface_of_an_imported_article_is_well_formed(kind: str, texts: Any) -> None:
    """Imports have readers of their own: control characters and direction marks must not come in through them."""
    for article in taken(kind, texts):
        check_surfaces(article)


@pytest.mark.parametrize("kind", FILES)
def test_each_hostile_piece_in_each_field_of_an_import(kind: str) -> None:
    """Each control, direction mark, entity and tag alone in each field of each format; ordinary texts are taken."""
    plain = {name: f"Chữ {name}" for name in NAMES}
    assert len(taken(kind, plain)) == 1
    for piece in PIECES:
        hostile = dict.fromkeys(NAMES, f"Chữ {piece} nữa")
        articles = taken(kind, hostile) or [
            article for name in NAMES for article in taken(kind, {**plain, name: hostile[name]})
        ]
        for article in articles:
            check_surfaces(article)
