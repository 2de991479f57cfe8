"""Forms that a page's script has sent."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.ingest.content.errors import InvalidContentError
from services.ingest.newsroom.scripted import is_scripted, shown_data, typed_body


def page(**fields: str) -> Any:
    """A page with the fields of a form."""
    return SimpleNamespace(text=lambda name: fields.get(name, ""), blocks=None)


def test_body_of_a_form_without_the_script_stays_markdown() -> None:
    """Without the script the body is the text that was typed."""
    sent = page(body="**Đậm**")
    assert not is_scripted(sent)
    assert typed_body(sent) == "**Đậm**"
    assert shown_data(sent, None) is None


def test_body_that_is_no_list_of_blocks_is_refused() -> None:
    """What the script has sent must be a list of objects."""
    for body in ("{", "[1]", '"text"'):
        with pytest.raises(InvalidContentError):
            typed_body(page(body_format="blocks", body=body))


def test_empty_body_of_the_script_is_shown_again() -> None:
    """The script that sends nothing has no blocks, and they take the place of what is stored."""
    sent = page(body_format="blocks")
    assert typed_body(sent) == []
    assert shown_data(sent, {"title": "A", "body": [{"type": "paragraph"}]}) == {"title": "A", "body": []}
