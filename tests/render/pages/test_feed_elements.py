"""The elements of feeds."""

from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import msgspec
import pytest

from services.render.pages.feed_elements import add_atom_text, add_hubs, as_html, as_markup, rfc822, xml_bytes
from tests.render.conftest import SITE


@pytest.mark.parametrize(("text", "kind"), [("A & B", None), ("a < b", None), ("<b>x</b>", "html"), ("&amp;", "html")])
def test_atom_text_is_html_only_if_it_looks_like_it(text: str, kind: str | None) -> None:
    """Readers do not all keep to the type, so what looks like HTML is escaped twice."""
    root = ET.Element("feed")
    add_atom_text(root, "title", text)
    assert root[0].get("type") == kind
    assert root[0].text == (as_html(text) if kind else text)
    assert as_markup(text) == (as_html(text) if kind else text)


def test_times_hubs_and_bytes_are_those_of_a_feed() -> None:
    """A time is in GMT, each hub has its link, and a document says its encoding."""
    assert rfc822(datetime(2026, 11, 30, 1, 2, 3, tzinfo=UTC)) == "Mon, 30 Nov 2026 01:02:03 GMT"
    root = ET.Element("feed")
    add_hubs(root, msgspec.structs.replace(SITE, hub=["https://a.example/", "https://b.example/"]), "link")
    assert [one.attrib for one in root] == [{"href": f"https://{n}.example/", "rel": "hub"} for n in "ab"]
    assert xml_bytes(root).startswith(b'<?xml version="1.0" encoding="utf-8"?>\n<feed>')
