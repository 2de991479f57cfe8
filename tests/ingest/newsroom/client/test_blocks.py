"""Blocks of an article → document of the editor → blocks, in Node: nothing is lost, and nothing else is let in."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.content.blocks import inline_html, link_url
from services.ingest.content.sanitizer import Node
from services.ingest.imports.item import ImportItem
from shared import articles
from shared.articles import (
    BulletList,
    Cell,
    Crop,
    Embed,
    Figure,
    File,
    Focus,
    Heading,
    Image,
    Item,
    Paragraph,
    Quote,
    Related,
    Rendition,
    Table,
)
from shared.embeds import parse_embed
from tests.ingest.imports.samples import DATA, read
from tests.ingest.newsroom.client.scripts import ClientScripts

LETTERS = st.text(st.sampled_from("aăâđếộữ Ởn&<>\"'\u00a0\u0301😀z-*1."), max_size=12)
LINE = LETTERS.map(lambda text: " ".join(text.split()))
URL = st.sampled_from(
    ["https://baonamdinh.vn/a?b=1&c='x'", "/tin-tuc/", "#ket", "mailto:lan@haihau.vn", "tel:+84228", "http://[::1]/a"]
)


def _element(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Node]:
    inside = st.lists(children, max_size=3)
    return st.one_of(
        st.builds(Node, st.sampled_from(["em", "strong", "sub", "sup"]), st.just({}), inside),
        st.builds(lambda href, inside: Node("a", {"href": href}, inside), URL, inside),
        st.builds(lambda href, title, inside: Node("a", {"href": href, "title": title}, inside), URL, LINE, inside),
        st.just(Node("br")),
    )


INLINE = st.lists(st.recursive(LETTERS, _element, max_leaves=8), max_size=4).map(inline_html)
"""Inline HTML as the sanitiser writes it, of any tree."""
PIXELS = st.one_of(st.none(), st.integers(1, 20_000))
RENDITION = st.builds(Rendition, st.just("/media/a-640.webp"), st.integers(1, 20_000), st.integers(1, 20_000))
IMAGE = st.builds(
    Image,
    st.sampled_from(["/media/ab.jpg", "https://cu.example/a.jpg"]),
    LINE,
    PIXELS,
    PIXELS,
    media=st.one_of(st.none(), st.just("a" * 64)),
    renditions=st.lists(RENDITION, max_size=2),
    focus=st.one_of(st.none(), st.builds(Focus, st.floats(0, 1), st.floats(0, 1))),
    bytes=st.one_of(st.none(), st.integers(0, 10**9)),
    crops=st.lists(st.builds(Crop, st.just("16:9"), st.just("/media/c.jpg"), st.just(16), st.just(9)), max_size=1),
)
SHORT = st.one_of(st.none(), LINE.filter(bool))


def _items(depth: int) -> st.SearchStrategy[list[Item]]:
    none: st.SearchStrategy[list[Item]] = st.just([])
    below = none if depth == articles.LIST_DEPTH_MAX else st.one_of(none, st.deferred(lambda: _items(depth + 1)))
    return st.lists(st.builds(Item, INLINE, below, st.booleans()), min_size=1, max_size=3)


CELL = st.builds(Cell, INLINE, st.booleans(), st.integers(1, 3), st.integers(1, 3))
BLOCK = st.one_of(
    st.builds(Paragraph, INLINE),
    st.builds(Heading, INLINE, st.integers(2, 4)),
    st.builds(Figure, LINE, st.one_of(st.none(), IMAGE), SHORT),
    st.builds(BulletList, _items(1), st.booleans()),
    st.builds(Quote, st.lists(INLINE, min_size=1, max_size=3), SHORT),
    st.builds(Table, st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=1, max_size=3), LINE),
    st.builds(Embed, st.sampled_from(["youtube", "vimeo"]), st.just("dQw4w9WgXcQ"), LINE),
    st.builds(File, st.just("/tep/1.pdf"), LINE.filter(bool), SHORT, st.sampled_from([None, 9]), st.just("text/csv")),
    st.builds(Related, st.just("0198a1c2-8f6e"), st.sampled_from([None, 12])),
)


def plain(blocks: list[Any]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(blocks))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BLOCK, max_size=4))
def test_blocks_through_editor_are_identical(scripts: ClientScripts, body: list[Any]) -> None:
    """Any body is the same after it was a document of the editor, byte for byte, also its unusual markup."""
    sent = plain(body)
    assert scripts.call("roundTrip", sent) == sent


@pytest.mark.parametrize("name", sorted(file.name for file in DATA.iterdir() if file.is_file()))
def test_import_samples_through_editor_are_identical(scripts: ClientScripts, name: str) -> None:
    """The body and the lead image of every article of the importers' samples is the same after the editor."""
    bodies = [item.body for item in read(name) if isinstance(item, ImportItem)]
    assert bodies
    for body in bodies:
        assert scripts.call("roundTrip", plain(body)) == plain(body)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BLOCK, max_size=4))
def test_stored_body_is_normalized_already(scripts: ClientScripts, body: list[Any]) -> None:
    """What the server stored does not count as changed: normalising its body for a comparison twice changes nothing."""
    once = scripts.call("normalizedBlocks", plain(body))
    assert scripts.call("normalizedBlocks", once) == once


def test_decomposed_text_is_saved_composed(scripts: ClientScripts) -> None:
    """Text in NFD, as some keyboards and programs write it, is NFC in what is saved."""
    sent = [{"type": "paragraph", "html": "Hải Hậu  ta"}]
    assert scripts.call("normalizedBlocks", sent) == [{"type": "paragraph", "html": "Hải Hậu ta"}]


def test_limits_of_scripts_equal_those_of_the_model(scripts: ClientScripts) -> None:
    """Every limit in the scripts has the value that shared/articles.py, or the sanitiser, has under its name."""
    known = {**vars(articles), "URL_CHARACTERS_MAX": 2_000}
    assert {name: known[name] for name in scripts.call("limits")} == scripts.call("limits")


@pytest.mark.parametrize(
    "scheme", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", " JaVaScRiPt:x", "java\nscript:x"]
)
def test_other_schemes_are_refused_by_the_schema(scripts: ClientScripts, scheme: str) -> None:
    """A document with a link, an image or a file of another scheme is invalid."""
    text = {"type": "text", "text": "x", "marks": [{"type": "link", "attrs": {"href": scheme}}]}
    lines = [{"type": "caption"}, {"type": "credit"}]
    figure = {"type": "figure", "attrs": {"image": {"url": scheme}}, "content": lines}
    file = {"type": "file", "attrs": {"url": scheme, "name": "x"}}
    for block in ({"type": "paragraph", "content": [text]}, figure, file):
        assert not scripts.call("isValid", {"type": "doc", "content": [block]})
    sound = {**text, "marks": [{"type": "link", "attrs": {"href": "https://haihau.vn"}}]}
    assert scripts.call("isValid", {"type": "doc", "content": [{"type": "paragraph", "content": [sound]}]})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.sampled_from("htps:/.a#@?[]1 \\\n\t\x00vnmailto\u00a0"), max_size=20), max_size=20))
def test_links_of_scripts_are_accepted_by_the_server(scripts: ClientScripts, urls: list[str]) -> None:
    """An address that the scripts let in is one that the server keeps."""
    for url, found in zip(urls, scripts.call("linkUrls", urls), strict=True):
        assert found is None or found == link_url(url)


def test_addresses_are_judged_as_by_the_server(scripts: ClientScripts) -> None:
    """The same links and videos are taken or refused in the scripts and on the server."""
    links = [
        *(
            "https://a.vn/b",
            "http://a.vn",
            "//a.vn/b",
            "/a",
            "#a",
            "mailto:a@b.vn",
            "tel:+84",
            "",
            " ",
            "a.vn",
            "ftp://a.vn",
        ),
        *("javascript:x", "https://", "https:///a", "https://a b", "/a\\b", "x" * 2_001, "https://tiếng-việt.vn/ổ"),
    ]
    assert scripts.call("linkUrls", links) == [link_url(one) for one in links]
    videos = [
        *("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "https://youtu.be/dQw4w9WgXcQ", "https://vimeo.com/12345"),
        *("https://player.vimeo.com/video/12345", "https://evil.example/embed/x", "http://youtu.be/dQw4w9WgXcQ"),
    ]
    expected = [found and {"provider": found.provider, "id": found.id} for found in map(parse_embed, videos)]
    assert scripts.call("embeds", videos) == expected


def test_document_holds_nothing_that_the_model_lacks(scripts: ClientScripts) -> None:
    """Two paragraphs in an item, a paragraph in a caption, a table in a cell or a quotation are invalid."""
    paragraph = {"type": "paragraph"}

    def table_of(content: Any) -> Any:
        row = {"type": "table_row", "content": [{"type": "table_cell", "content": [content]}]}
        return {"type": "table", "content": [row]}

    table = table_of(paragraph)
    for block in (
        {"type": "list", "content": [{"type": "item", "content": [paragraph, paragraph]}]},
        {"type": "list", "content": [{"type": "item", "content": [{"type": "heading", "attrs": {"level": 2}}]}]},
        {"type": "figure", "content": [{"type": "caption", "content": [paragraph]}, {"type": "credit"}]},
        {"type": "quote", "content": [table, {"type": "cite"}]},
        {"type": "quote", "content": [paragraph]},
        table_of(table),
        {"type": "text", "text": "x"},
    ):
        assert not scripts.call("isValid", {"type": "doc", "content": [block]})
    assert scripts.call("isValid", {"type": "doc", "content": [table]})


def test_merged_away_row_is_left_out(scripts: ClientScripts) -> None:
    """A row that the cells above cover whole, as after merging two rows, is not sent: the API takes no empty row."""
    cell = {"html": "A", "header": False, "colspan": 2, "rowspan": 2}
    last = {"html": "B", "header": False, "colspan": 2, "rowspan": 1}
    sent = [{"type": "table", "rows": [[cell], [], [last]], "caption": ""}]
    assert scripts.call("roundTrip", sent) == [
        {"type": "table", "rows": [[{**cell, "rowspan": 1}], [last]], "caption": ""}
    ]


def test_words_are_counted_as_syllables(scripts: ClientScripts) -> None:
    """Words are counted in lines, captions, items and cells; numbers such as 4/3 are one."""
    items = BulletList([Item("một", [Item("hai")])])
    body = plain([Paragraph("Sáng 4/3, <strong>huyện</strong>"), Figure("Ảnh đẹp"), items])
    assert scripts.call("countText", body) == {"words": 7, "characters": 15 + 7 + 3 + 3, "blocks": 3}
