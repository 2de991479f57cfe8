"""Bounds on what a parser makes of markup: hostile nesting is refused or cheap, ordinary markup stays as it is."""

import contextlib
import time

import pytest

from services.ingest.content.blocks import tree_to_blocks
from services.ingest.content.markup_bounds import (
    FORMATTING_MAX,
    UNCERTAIN_TAGS_MAX,
    MarkupError,
    bounded_markup,
)
from services.ingest.content.sanitizer import parse_html
from shared.articles import Paragraph
from tests.ingest.imports.bombs import measure

FORMATTING = tuple(f"<b a={number}>" for number in range(5_000))
HOSTILE = {
    "end tags of others": "<p>" + "".join(f"{tag}</x>" for tag in FORMATTING) + "<p>x" * 5_000,
    "ends in attributes": "".join(f"<b a={number} x='</b>'>" for number in range(5_000)) + "<p>x" * 5_000,
    "ends in comments": "<div><!--</div>-->" * 5_000 + "<p>x" * 5_000,
    "ends in scripts": "<div><script></div></script>" * 5_000 + "<p>x" * 5_000,
    "ends in cells": "".join(f"{tag}<table><td></b></table>" for tag in FORMATTING[:3_000]) + "<p>x" * 5_000,
    "ends behind objects": "".join(f"{tag}<object></b></object>" for tag in FORMATTING[:3_000]) + "<p>x" * 5_000,
    "ends in foreign titles": '<div><svg><title><p x="</title></div>">' * 450 + "<p>x" * 1_500,
    "unclosed formatting": "<p>" + "<b><i><em>" * 19 + "<p>x" * 15_000,
    "formatting for each paragraph": "<p>" + "<b><i><em><strong>" * 3 + "<p>x" * 15_000,
    "formatting below the limits": "<svg></svg><p>" + "".join(FORMATTING[:FORMATTING_MAX]) + "<p>x" * 2_900,
    "foreign elements": "<svg>" + "<g></x>" * 19_000,
    "few tags": '<div><svg><title><p x="</title></div>">' * 90 + "<p>" + "<b>x</i>" * 60 + "<p>x" * 100,
    "capitals": "<p>" + "".join(FORMATTING).upper() + "<p>x" * 5_000,
    "slashes": "<p>" + "".join(f"<b/a={number}/>" for number in range(5_000)) + "<p>x" * 5_000,
    "quotes": "<p>" + "".join(f"<b a=\"{number}><i a='></x>" for number in range(5_000)) + "<p>x" * 5_000,
}


def _converted(html: str) -> str:
    with contextlib.suppress(MarkupError):
        return f"{len(tree_to_blocks(parse_html(html[:249_000])))} blocks"
    return "refused"


@pytest.mark.parametrize("name", HOSTILE)
def test_parse_html_of_hostile_nesting_is_cheap(name: str) -> None:
    """Formatting that is never closed made 3.6 GB of nodes of 160 KB: each costs 64 MB and two seconds at most."""
    megabytes, seconds, outcome = measure(lambda: _converted(HOSTILE[name]))
    assert str(outcome).split()[-1] in ("blocks", "refused")
    assert isinstance(megabytes, int)
    assert megabytes <= 64
    assert isinstance(seconds, float)
    assert seconds <= 2.0


@pytest.mark.parametrize(
    "html",
    [
        "<p><font face='x' color=#333>a</font> <b class=y>b</b></p>" * 2_000,
        "<p>a</font></b></p></div>" * 2_000,
        "<table>" + "<tr><td><font size=2>a</td><td><b>b</td></tr>" * 2_000 + "</table>",
        "<p><a href=/a title='b > c'>x</a> và <em>y</em><br>" * 4_000,
        "<div><!-- <div><b> --><p>a</p></div>" * 2_000,
        "<script>if (a < b) { c('</div>') }</script><p>a</p>" * 2_000,
        "<p>" + "".join(f"<b a={number}>x</b>" for number in range(2_000)),
        "<ul>" + "<li>a<li>b" * 2_000 + "</ul>",
    ],
)
def test_bounded_markup_of_an_old_page_passes(html: str) -> None:
    """Old pages have wrong end tags, open formatting in cells and scripts with markup; all of it is read."""
    assert tree_to_blocks(parse_html(html))


def test_bounded_markup_with_many_attributes_keeps_formatting() -> None:
    """Formatting stays formatting without its attributes; with few of them, markup is not changed at all."""
    few = "<p><b class='a'>x</b> <em id=b>y</em>"
    assert bounded_markup(few) == few
    many = "".join(f"<b class='{number}'>x</b>" for number in range(FORMATTING_MAX + 1))
    assert bounded_markup(many) == "<b>x</b>" * (FORMATTING_MAX + 1)
    assert tree_to_blocks(parse_html(many)) == [Paragraph("<strong>x</strong>" * (FORMATTING_MAX + 1))]
    hidden = f"<!-- {many} -->"
    assert "<b class" not in bounded_markup(hidden)


def test_bounded_markup_error_names_limit_and_size() -> None:
    """Each refusal has the limit and the size."""
    tags = UNCERTAIN_TAGS_MAX + 1
    for html, limit, size in (
        ("<b>" * 100, 60, 100),
        ("<svg>" + "<br>" * (tags - 1), UNCERTAIN_TAGS_MAX, tags),
        ("<br>" * 20_001, 20_000, 20_001),
    ):
        with pytest.raises(MarkupError) as raised:
            bounded_markup(html)
        assert (raised.value.limit, raised.value.size) == (limit, size)


def test_bounded_markup_takes_linear_time() -> None:
    """The bounds are found in a moment, whatever the markup."""
    for part in (
        "<",
        "<a ",
        "<a='",
        '<a="',
        "<!--",
        "<!",
        "</",
        "</a ",
        "<script>",
        "<title",
        "a=",
        "<b/",
        "<td>",
        "</td>",
    ):
        begun = time.process_time()
        with contextlib.suppress(MarkupError):
            bounded_markup(part * (240_000 // len(part)))
        assert time.process_time() - begun < 2, part
