"""Every surface of every article that the API takes: well-formed XML, valid JSON, HTML without a parse error."""

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

import html5lib
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pydantic import ValidationError

from services.ingest.articles.syndication import jsonld, ninjs
from services.ingest.content.article_models import CONTENT_FIELDS, ArticleIn
from services.ingest.content.conversion import convert, make_slug
from services.ingest.content.errors import InvalidContentError
from services.ingest.content.validation import check_limits
from services.render.pages.feeds import atom, rss
from services.render.pages.html import render_article
from services.render.pages.page_data import RelatedArticles
from services.render.pages.sitemaps import news, urls
from shared.articles import Article, article_path
from shared.http.problems import Problem
from shared.sites import Section, Site

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
URL = "https://haihau.example"
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=[URL],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
)
PIECES = [
    *(
        "&#8;",
        "&#x202e;",
        "&#x2066;",
        "&#xfffe;",
        "&#0;",
        "&#xd800;",
        "&#128;",
        "&#x1ffff;",
        "&#8203;",
        "&amp;#8;",
        "&lt;",
    ),
    *(
        "\x08",
        "\u202e",
        "\ufdd0",
        "\U0001ffff",
        "e\u0301",
        "&",
        "<",
        ">",
        '"',
        "'",
        "]]>",
        "<!--",
        "-->",
        "</script>",
        "{{x}}",
    ),
    *("<a href='/x'>", "</a>", "<p>", "</p>", "<table><tr><td>", "<b>", "<br>", "<ul><li>", "<blockquote>", "<h2>"),
    *(
        "<img src=/media/a.jpg alt='&#8;x'>",
        "<figure>",
        "<figcaption>",
        "<a href='/y' title='&#x202e;'>",
        "chợ",
        " ",
        "1",
    ),
    *("&nbsp;", "&zwj;", "\n", "<pre>", "<div>", "<iframe src='https://youtu.be/dQw4w9WgXcQ' title='&#7;'></iframe>"),
]
TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=8).map("".join)
IMAGE = st.fixed_dictionaries({"url": st.just("/media/a.jpg"), "alt": TEXT})
FIGURE = st.fixed_dictionaries({"type": st.just("figure"), "caption": TEXT, "image": st.none() | IMAGE})
BLOCK = st.one_of(
    st.fixed_dictionaries({"type": st.just("paragraph"), "html": TEXT}),
    st.fixed_dictionaries({"type": st.just("heading"), "html": TEXT}),
    st.fixed_dictionaries({"type": st.just("quote"), "paragraphs": st.lists(TEXT, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"type": st.just("list"), "items": st.just([{"html": "<a href='/a'>x"}])}),
    st.fixed_dictionaries({"type": st.just("table"), "rows": st.just([[{"html": "x"}]]), "caption": TEXT}),
    FIGURE,
)
ARTICLE = st.fixed_dictionaries(
    {"title": TEXT, "body": st.one_of(TEXT, st.lists(BLOCK, max_size=3)), "lead": TEXT},
    optional={
        "kicker": TEXT,
        "subtitle": TEXT,
        "place": TEXT,
        "tags": st.lists(TEXT, max_size=2),
        "authors": st.lists(st.fixed_dictionaries({"name": TEXT, "role": TEXT}), max_size=2),
        "source": st.fixed_dictionaries({"name": TEXT, "label": TEXT}),
        "rights": st.fixed_dictionaries({"holder": TEXT, "notice": TEXT}),
        "seo": st.fixed_dictionaries({"title": TEXT, "description": TEXT}),
        "corrections": st.lists(
            st.fixed_dictionaries({"text": TEXT, "at": st.just("2026-01-01T00:00:00Z")}), max_size=1
        ),
        "lead_image": FIGURE,
        "body_format": st.sampled_from(["html", "markdown"]),
        "old_urls": st.lists(TEXT.map(lambda text: "/" + text), max_size=1),
    },
)


def taken(sent: dict[str, Any]) -> Article | None:
    """Return the article that the API makes of a request, or None if it refuses it."""
    try:
        model = ArticleIn.model_validate({"site": "haihau", "section": "tin-tuc", **sent})
        fields = convert(model, CONTENT_FIELDS).fields
        fields["slug"] = fields["slug"] or make_slug(fields["title"])
        article = Article(
            id="a-1",
            number=1,
            site="haihau",
            version=1,
            state="published",
            modified_at=NOW,
            first_published_at=NOW,
            **fields,
        )
        check_limits(article, SITE)
    except (ValidationError, InvalidContentError, Problem):
        return None
    return msgspec.json.decode(msgspec.json.encode(article), type=Article)


def check_surfaces(article: Article) -> None:
    """Parse every surface of an article strictly."""
    for document in (
        rss([article], SITE, None, URL),
        atom([article], SITE, None, URL),
        news([msgspec.structs.replace(article, published_at=NOW, date_precision="exact")], SITE, URL),
        urls([(article_path(article), NOW, "/media/a.jpg")], SITE, URL),
    ):
        etree.fromstring(document.body, etree.XMLParser(resolve_entities=False, recover=False))
    for value in (ninjs(article, SITE, URL), jsonld(article, SITE, URL), article):
        text = msgspec.json.encode(value).decode()
        json.loads(text)
        check_characters(text)
    page = render_article(article, RelatedArticles(), SITE, URL).body.decode()
    check_characters(page)
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    assert not [link for link in tree.iter("a") if len(list(link.iter("a"))) > 1]
    for data in tree.iter("script"):
        if data.get("type") == "application/ld+json":
            json.loads(data.text)


def check_characters(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", text)
    assert unicodedata.is_normalized("NFC", text)


@settings(max_examples=150)
@given(ARTICLE)
def test_every_surface_of_an_accepted_article_is_well_formed(sent: dict[str, Any]) -> None:
    """A body with &#8; broke all feeds of its site; each article that is accepted is well-formed everywhere."""
    article = taken(sent)
    if article is not None:
        check_surfaces(article)


@pytest.mark.parametrize("piece", PIECES)
def test_each_hostile_piece_is_refused_or_harmless_in_every_field(piece: str) -> None:
    """Each control, direction mark, entity and tag in each field alone: refused, or on no surface anything but text."""
    image = {"url": "/media/a.jpg", "alt": f"a{piece}b"}
    fields: dict[str, Any] = {
        "title": f"a{piece}b",
        "lead": f"a{piece}b",
        "kicker": f"a{piece}b",
        "place": f"a{piece}b",
        "tags": [f"a{piece}b"],
        "authors": [{"name": f"a{piece}b"}],
        "source": {"name": f"a{piece}b"},
        "body": f"<p>a{piece}b</p>",
        "lead_image": {"caption": f"a{piece}b", "image": image},
    }
    for name, value in fields.items():
        article = taken({"title": "T", "body": "<p>x</p>", name: value})
        if article is not None:
            check_surfaces(article)
