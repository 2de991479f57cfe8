"""A body in a form without scripts: blocks → Markdown → blocks loses nothing."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.content.conversion import body_of
from services.ingest.content.errors import InvalidContentError
from services.ingest.newsroom.markdown import blocks_to_markdown, markdown_to_blocks, sent_blocks
from shared.articles import Block

ID = "ab" * 32
EXAMPLES: dict[str, tuple[dict[str, Any], str]] = {
    "paragraph": ({"type": "paragraph", "html": "Từ sáng <strong>sớm</strong>."}, "Từ sáng **sớm**."),
    "star": ({"type": "paragraph", "html": "2 * 3 * 4"}, "2 \\* 3 \\* 4"),
    "link": (
        {"type": "paragraph", "html": '<a href="https://haihau.example/a?b=1&amp;c=2">Đây</a>'},
        "[Đây](https://haihau.example/a?b=1&c=2)",
    ),
    "heading": ({"type": "heading", "html": "Khoản 1. Chợ", "level": 3}, "### Khoản 1. Chợ"),
    "picture": (
        {"type": "figure", "caption": 'Cổng "chợ"', "image": {"url": "", "alt": "Cổng", "media": ID}, "credit": "Lan"},
        f'![Cổng](media:{ID} "Cổng \\"chợ\\""){{credit="Lan"}}',
    ),
    "file": ({"type": "file", "url": "", "name": "Quyết định.pdf", "media": ID}, f"[Quyết định.pdf](file:{ID})"),
    "related": ({"type": "related", "article": "0198a1c2-8f6e"}, "[→](article:0198a1c2-8f6e)"),
    "video": (
        {"type": "embed", "provider": "youtube", "id": "dQw4w9WgXcQ"},
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    "quote": ({"type": "quote", "paragraphs": ["Một", "Hai"], "cite": "Ông Nam"}, "> Một\n>\n> Hai\n>\n> — Ông Nam"),
    "list": (
        {"type": "list", "items": [{"html": "Một", "items": [{"html": "Một a"}]}, {"html": "Hai"}], "ordered": False},
        "- Một\n    - Một a\n- Hai",
    ),
}


def normalized(blocks: list[dict[str, Any]]) -> list[Block]:
    return msgspec.convert(sent_blocks(blocks), list[Block])


def read(text: str) -> list[Block]:
    return msgspec.convert(markdown_to_blocks(text), list[Block])


@pytest.mark.parametrize("name", EXAMPLES)
def test_block_has_a_plain_form(name: str) -> None:
    """What people write is Markdown as they know it, and is read back."""
    block, wanted = EXAMPLES[name]
    assert blocks_to_markdown([block]) == wanted
    assert read(wanted) == normalized([block])


def test_merged_table_is_html_and_the_rest_is_json() -> None:
    """What Markdown cannot say is kept as HTML, or as a fenced block."""
    cells = [[{"html": "Xã", "header": True, "colspan": 2}], [{"html": "Hải Bắc"}, {"html": "<em>12</em>"}]]
    table = {"type": "table", "rows": cells, "caption": "Bảng 1"}
    text = blocks_to_markdown([table])
    assert 'colspan="2"' in text
    assert read(text) == normalized([table])
    titled = {"type": "embed", "provider": "vimeo", "id": "12345", "title": "Lễ hội"}
    text = blocks_to_markdown([titled])
    assert text.startswith("```block\n{")
    assert read(text) == normalized([titled])


def test_lists_side_by_side_stay_apart() -> None:
    """Two lists do not become one."""
    lists = [{"type": "list", "items": [{"html": text}], "ordered": False} for text in ("Một", "Hai")]
    assert read(blocks_to_markdown(lists)) == normalized(lists)


def test_broken_fence_is_an_error_of_the_body() -> None:
    """A fenced block that somebody has damaged is reported, not dropped."""
    with pytest.raises(InvalidContentError, match="not valid"):
        markdown_to_blocks('Đoạn\n\n```block\n{"type": "embed"\n```')


PIECES = st.sampled_from(
    [
        *"*_`[]()<>#+-.!|~\\&:\"'{}=1",
        "**",
        "1. ",
        "# ",
        "- ",
        "> ",
        "https://a.example",
        "chợ",
        "Cồn",
        " ",
        "—",
        "&amp;",
    ]
)
TEXT = st.lists(PIECES, min_size=1, max_size=12).map("".join)


def inline(texts: list[tuple[str, str]]) -> str:
    from html import escape

    tags = {"": ("", ""), "b": ("<strong>", "</strong>"), "i": ("<em>", "</em>"), "s": ("<sub>", "</sub>")}
    tags |= {"a": ('<a href="/x?a=1&amp;b=(2)" title="Tít &quot;a&quot;">', "</a>"), "br": ("<br>", "")}
    return "".join(f"{tags[kind][0]}{escape(text, quote=False)}{tags[kind][1]}" for kind, text in texts)


INLINE = st.lists(st.tuples(st.sampled_from(["", "", "b", "i", "s", "a", "br"]), TEXT), min_size=1, max_size=4).map(
    inline
)
ITEM = st.builds(
    lambda html, below: {"html": html, "items": below}, INLINE, st.lists(INLINE.map(lambda h: {"html": h}), max_size=2)
)
CELL = st.builds(
    lambda html, header, span: {"html": html, "header": header, "colspan": span},
    INLINE,
    st.booleans(),
    st.integers(1, 3),
)
BLOCK = st.one_of(
    INLINE.map(lambda html: {"type": "paragraph", "html": html}),
    st.builds(lambda html, level: {"type": "heading", "html": html, "level": level}, INLINE, st.integers(2, 4)),
    st.builds(
        lambda items, o: {"type": "list", "items": items, "ordered": o},
        st.lists(ITEM, min_size=1, max_size=3),
        st.booleans(),
    ),
    st.builds(
        lambda p, c: {"type": "quote", "paragraphs": p, "cite": c},
        st.lists(INLINE, min_size=1, max_size=3),
        st.none() | TEXT,
    ),
    st.builds(
        lambda r, c: {"type": "table", "rows": r, "caption": c},
        st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=1, max_size=2),
        TEXT,
    ),
    st.builds(
        lambda c, a, m, k: {
            "type": "figure",
            "caption": c,
            "credit": k,
            "image": {"url": "" if m else "/media/x.jpg", "alt": a, "media": m},
        },
        TEXT,
        TEXT,
        st.none() | st.just(ID),
        st.none() | TEXT,
    ),
    st.builds(lambda n: {"type": "file", "url": "", "name": n, "media": ID}, TEXT),
    st.just({"type": "related", "article": "a-1", "number": 5}),
    st.builds(lambda t: {"type": "embed", "provider": "youtube", "id": "dQw4w9WgXcQ", "title": t}, st.just("") | TEXT),
)


@settings(max_examples=150)
@given(st.lists(BLOCK, max_size=5))
def test_any_body_reads_back(blocks: list[dict[str, Any]]) -> None:
    """Whatever the letters and the order of blocks: the Markdown of a body gives the body."""
    given_body = normalized(blocks)
    assert read(blocks_to_markdown(msgspec.to_builtins(given_body))) == given_body


@settings(max_examples=100)
@given(
    st.lists(
        st.sampled_from(["Đoạn.", "\n", "\n\n", "- a", "> b", "**x**", "# T", "| a | b |\n| - | - |\n| 1 | 2 |"]),
        max_size=10,
    )
)
def test_any_markdown_keeps_its_blocks(parts: list[str]) -> None:
    """Saving the form again does not change the body."""
    once = msgspec.to_builtins(body_of("".join(parts), "markdown"))
    assert read(blocks_to_markdown(once)) == normalized(once)
