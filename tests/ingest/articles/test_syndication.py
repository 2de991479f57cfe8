"""Exports of articles: ninjs, and the body as HTML and text for other systems."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.articles.syndication import body_html, body_text, ninjs
from shared.articles import (
    Article,
    Author,
    BulletList,
    Cell,
    Crop,
    Embed,
    Figure,
    File,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Rendition,
    Source,
    Table,
)
from shared.sites import Site

URL = "https://haihau.example"
NewArticle = Callable[..., Article]
EVERY_BLOCK: list[Any] = [
    Paragraph('a <a href="/x">b</a>'),
    Paragraph('<a href="//o.example/">o</a> <a href="https://o.example/y" title="href=/z">o</a> <a href="#p">o</a>'),
    Heading("c", 3),
    Figure('d "<', Image("/media/a.jpg", 'e "<')),
    Figure("only"),
    BulletList([Item("f", [Item("g")], ordered=True)]),
    Quote(["h", "i"], "j <"),
    Table([[Cell("k", header=True), Cell("l")]]),
    Table([[Cell("q", colspan=2)], [Cell("r", rowspan=2), Cell("s")], [Cell("t")]], "p <"),
    Embed("youtube", "dQw4w9WgXcQ", "m"),
    File("/media/a.pdf", "n"),
]


def test_body_html_has_each_block_with_absolute_urls(new_article: NewArticle) -> None:
    """Each kind of block is plain HTML; captions and attributes are escaped, URLs of the site's own pages absolute."""
    assert body_html(new_article(body=EVERY_BLOCK), URL).split("\n") == [
        '<p>a <a href="https://haihau.example/x">b</a></p>',
        f"<p>{EVERY_BLOCK[1].html}</p>",
        "<h3>c</h3>",
        (
            '<figure><img src="https://haihau.example/media/a.jpg" alt="e &#34;&lt;">'
            "<figcaption>d &#34;&lt;</figcaption></figure>"
        ),
        "<figure><figcaption>only</figcaption></figure>",
        "<ul><li>f<ol><li>g</li></ol></li></ul>",
        "<blockquote><p>h</p><p>i</p><footer>j &lt;</footer></blockquote>",
        "<table><tr><th>k</th><td>l</td></tr></table>",
        (
            '<table><caption>p &lt;</caption><tr><td colspan="2">q</td></tr>'
            '<tr><td rowspan="2">r</td><td>s</td></tr><tr><td>t</td></tr></table>'
        ),
        '<p><a href="https://www.youtube.com/watch?v=dQw4w9WgXcQ">m</a></p>',
        '<p><a href="https://haihau.example/media/a.pdf">n</a></p>',
    ]


def test_body_text_has_one_line_per_part(new_article: NewArticle) -> None:
    """The plain text has paragraphs, headings, items, quotes and cells in reading order, without markup."""
    assert body_text(new_article(body=EVERY_BLOCK)).split("\n") == ["a b", "o o o", *"cfghiklqrst"]


def test_ninjs_minimal_article_has_no_empty_fields(new_article: NewArticle, site: Site) -> None:
    """Required fields are present, and optional ones are left out instead of empty."""
    found = ninjs(new_article(), site, URL)
    assert not [name for name, value in found.items() if value in (None, "", {})]
    assert found["descriptions"] == []
    assert (found["version"], found["pubStatus"], found["language"]) == ("1", "withheld", "vi")
    assert found["subjects"] == [{"name": "Tin tức", "code": "tin-tuc"}]
    assert "by" not in found
    assert found["headlines"] == [{"role": "main", "value": "Tựa"}]


@pytest.mark.parametrize(
    ("state", "status"), [("published", "usable"), ("killed", "canceled"), ("unpublished", "withheld")]
)
def test_ninjs_status_follows_state(new_article: NewArticle, site: Site, state: Any, status: str) -> None:
    """Published is usable, killed is canceled, and anything else is withheld."""
    assert ninjs(new_article(state=state), site, URL)["pubStatus"] == status


@pytest.mark.parametrize(("state", "day"), [("published", 5), ("unpublished", 6), ("draft", 6)])
def test_ninjs_version_is_as_old_as_its_text(new_article: NewArticle, site: Site, state: Any, day: int) -> None:
    """A pin or a tag of a public article is no new text for agencies; of any other version the last change counts."""
    article = new_article(
        state=state,
        modified_at=datetime(2026, 3, 6, tzinfo=UTC),
        text_updated_at=datetime(2026, 3, 5, tzinfo=UTC),
    )
    assert ninjs(article, site, URL)["versionCreated"] == f"2026-03-0{day}T00:00:00Z"


def test_ninjs_full_article_has_people_source_and_renditions(new_article: NewArticle, site: Site) -> None:
    """Authors, source, time and images with their renditions are exported with absolute URLs."""
    image = Image("/media/a.jpg", "alt", 640, 400, renditions=[Rendition("/media/b.webp", 320, 200, "image/webp")])
    article = new_article(
        authors=[Author("An", role="PV"), Author("Bình")],
        source=Source("Báo", url="https://bao.vn/"),
        published_at=datetime(2026, 3, 4, 1, tzinfo=UTC),
        lead_image=Figure("C", image, "T.N."),
        external_id="7",
        source_system="cms",
        tags=["chợ"],
        kind="photo",
    )
    found = ninjs(article, site, URL)
    assert (found["by"], found["type"]) == ("An, Bình", "picture")
    assert found["people"] == [{"name": "An", "roles": ["PV"]}, {"name": "Bình"}]
    assert found["infoSources"] == [{"name": "Báo", "uri": "https://bao.vn/"}]
    assert found["altIds"] == [{"role": "cms", "value": "7"}]
    assert found["contentCreated"] == "2026-03-04T01:00:00Z"
    assert found["subjects"][1:] == [{"name": "chợ"}]
    (picture,) = found["associations"]
    assert (picture["by"], picture["headlines"][0]["value"]) == ("T.N.", "C")
    assert [one["href"] for one in picture["renditions"]] == [f"{URL}/media/a.jpg", f"{URL}/media/b.webp"]
    html, text = found["bodies"]
    assert (html["charCount"], text["charCount"], text["wordCount"]) == (len(html["value"]), len(text["value"]), 1)


def test_ninjs_has_documents_and_crops_as_renditions(new_article: NewArticle, site: Site) -> None:
    """A document is an association with its media type and size; crops are renditions of their picture."""
    file = File("/tep/x/a.pdf", "Nghị quyết", "x", 123, "application/pdf")
    image = Image("/media/a.jpg", "A", 1600, 1200, crops=[Crop("16:9", "/media/c.jpg", 1600, 900)])
    picture, document = ninjs(new_article(body=[Figure("c", image), file]), site, URL)["associations"]
    assert [one["name"] for one in picture["renditions"]] == ["original", "16x9"]
    assert (picture["renditions"][1]["href"], picture["renditions"][1]["height"]) == (f"{URL}/media/c.jpg", 900)
    assert (document["name"], document["headlines"]) == ("document-1", [{"role": "main", "value": "Nghị quyết"}])
    assert document["renditions"] == [
        {"name": "original", "href": f"{URL}/tep/x/a.pdf", "contentType": "application/pdf", "sizeInBytes": 123}
    ]
