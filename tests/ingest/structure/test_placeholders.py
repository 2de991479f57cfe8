"""Ready-made pages are not published before they are filled in."""

import msgspec
import pytest

from services.ingest.content.conversion import body_of
from services.ingest.newsroom.markdown import api_blocks
from services.ingest.newsroom.ready_pages import READY_PAGES, ReadyPage
from services.ingest.structure.placeholders import placeholder_errors
from shared.articles import Block, Paragraph
from tests.ingest.structure.test_pages import page


@pytest.mark.parametrize("ready", READY_PAGES, ids=lambda one: one.key)
def test_each_ready_made_page_names_every_place_to_fill_in(ready: ReadyPage) -> None:
    """As it is offered, each of its cells and texts is named with its heading; without dots nothing is."""
    for text, count in ((ready.body, ready.body.count("…")), (ready.body.replace("…", "x"), 0)):
        body = msgspec.convert(api_blocks(text), list[Block])
        errors = placeholder_errors(msgspec.structs.replace(page(1), kind=ready.kind, body=body))
        assert len(errors) == count
        headings = [one.lstrip("# ") for one in text.splitlines() if one.startswith("## ")]
        assert {one.values["heading"] for one in errors} == ({repr(one) for one in headings} if count else set())


@pytest.mark.parametrize(
    ("html", "is_left"),
    [
        ("…", True),
        (" ... ", True),
        ("<strong>…</strong>", True),
        ("……", True),
        ("…<br>…", True),
        ("", False),
        (".", False),
        ("..", False),
        ("Điều 5. …", False),
        ("- … -", False),
    ],
)
def test_only_a_text_of_nothing_but_dots_is_left_to_fill_in(html: str, is_left: bool) -> None:
    """Dots inside a text are the text's own; a page of another kind may have them anywhere."""
    contact = msgspec.structs.replace(page(1), kind="contact", body=[Paragraph(html)])
    assert bool(placeholder_errors(contact)) == is_left
    assert placeholder_errors(msgspec.structs.replace(contact, kind="page")) == []


def test_texts_of_lists_and_quotations_are_read() -> None:
    """A placeholder is found wherever the form puts it; before the first heading it is below the title."""
    body = body_of("<ul><li>Một<ul><li>…</li></ul></li></ul><blockquote><p>…</p></blockquote>", "html")
    errors = placeholder_errors(msgspec.structs.replace(page(1), kind="organization", body=body))
    assert [(one.field, one.values["heading"]) for one in errors] == [("body.0", "'P'"), ("body.1", "'P'")]
