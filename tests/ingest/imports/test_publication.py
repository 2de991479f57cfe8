"""What was not public at its source never becomes public: every field and value of every format."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.ingest.imports.detection import READERS
from services.ingest.imports.publication import SourceState, decide
from services.ingest.imports.state_fields import STATE_FIELDS, StateField
from tests.ingest.imports.samples import read_content

NOW = datetime(2026, 3, 5, 1, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
PUBLIC = {
    "wxr": {"wp:post_type": "post", "wp:status": "publish"},
    "ghost": {"status": "published"},
    "nukeviet": {"status": "1"},
}
"""The values without which an item is not public."""
RULES = [(name, rule) for name, rules in STATE_FIELDS.items() for rule in rules]


def outcome(name: str, values: dict[str, Any], at: datetime | None = None) -> str:
    return decide(SourceState(name, {**PUBLIC.get(name, {}), **values}), at, NOW, ZONE).outcome


def test_decide_every_format_has_a_table_and_a_public_item() -> None:
    """Each format has its table; an item with the required values is public, and one with a future date scheduled."""
    assert set(READERS) <= set(STATE_FIELDS)
    for name in STATE_FIELDS:
        assert outcome(name, {}) == "public", name
        assert outcome(name, {}, datetime(2026, 3, 5, 1, 1, tzinfo=UTC)) == "scheduled", name


@pytest.mark.parametrize(("name", "rule"), RULES, ids=lambda one: one.name if isinstance(one, StateField) else one)
def test_decide_field_unknown_value_is_never_public(name: str, rule: StateField) -> None:
    """A value that nobody knows makes a draft, or leaves the item out; known values have their outcome."""
    if rule.other != "public":
        assert outcome(name, {rule.name: "xyz"}) in ("draft", "left_out")
    for value, expected in rule.values.items():
        found = outcome(name, {rule.name: value.upper()})
        assert found == ("draft" if expected == "scheduled" else expected), value  # without a time in the future
    if rule.role in ("embargo", "publish_time"):
        assert outcome(name, {rule.name: "2030-01-01"}) == "scheduled"
        assert outcome(name, {rule.name: "2020-01-01T00:00:00Z"}) == "public"
    if rule.role == "expiry":
        assert outcome(name, {rule.name: "2020-01-01"}) == "draft"
        assert outcome(name, {rule.name: "2030-01-01"}) == "public"


def test_decide_contradictions_are_drafts() -> None:
    """A schedule without a time, one that ends before it begins, and two states at once are drafts, with reasons."""
    late = decide(SourceState("ndjson", {"publish_at": "2030-01-02", "unpublish_at": "2030-01-01"}), None, NOW, ZONE)
    assert (late.outcome, late.unpublish_at) == ("draft", None)
    assert "before it begins" in late.reasons[-1]
    assert outcome("wxr", {"wp:status": "future"}, datetime(2020, 1, 1, tzinfo=UTC)) == "draft"
    assert outcome("wxr", {"wp:status": "publish draft"}) == "draft"


WXR = (
    '<rss xmlns:wp="http://wordpress.org/export/1.2/" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
    "{items}</channel></rss>"
)


def post(number: int, status: str, password: str = "") -> str:
    return (
        f"<item><title>Bài {number}</title><link>https://cu.example/{number}</link><guid>g</guid>"
        f"<content:encoded>x</content:encoded><wp:post_id>{number}</wp:post_id><wp:post_type>post</wp:post_type>"
        f"<wp:status>{status}</wp:status><wp:post_password>{password}</wp:post_password></item>"
    )


ITEMS = post(1, "publish") + post(2, "draft") + post(3, "private") + post(4, "trash") + post(5, "publish", "p")
FILE = WXR.format(items=ITEMS)
LATE = FILE.replace(' xmlns:wp="http://wordpress.org/export/1.2/"', "").replace(
    "<item>", '<item xmlns:wp="https://wordpress.org/export/1.3/">'
)


@pytest.mark.parametrize(
    "content",
    [
        FILE.encode(),
        b"\xef\xbb\xbf \n" + FILE.encode(),
        FILE.encode("utf-16"),
        FILE.encode("utf-16-le"),
        f'<?xml version="1.0" encoding="UTF-16"?>{FILE}'.encode("utf-16-be"),
        FILE.encode("utf-32"),
        LATE.encode(),
        f"<!-- {'x' * 2_000_000} -->{LATE}".encode(),
        FILE.replace(' xmlns:wp="http://wordpress.org/export/1.2/"', "").encode(),
        FILE.replace("wp:", "w:").replace(":wp=", ":w=").encode(),
        FILE.replace("<wp:status>draft</wp:status>", "").encode(),
    ],
)
@pytest.mark.parametrize("name", ["x.xml", "x.rss", "x.atom"])
def test_wordpress_export_is_never_read_as_a_feed(content: bytes, name: str) -> None:
    """Drafts, private, deleted and protected posts stay so: in any encoding, with any prefix, under any file name."""
    found = read_content(name, content)
    outcomes = {one.title: outcome_of(one) for one in found}
    assert outcomes == {"Bài 1": "public", "Bài 2": "draft", "Bài 3": "draft", "Bài 4": "left_out", "Bài 5": "draft"}


ATOM_DRAFT = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>A</title><content>x</content>'
    '<control xmlns="http://www.w3.org/2007/app"><draft>yes</draft></control></entry></feed>'
)


def outcome_of(item: Any) -> str:
    return decide(item.state, item.published_at, NOW, ZONE).outcome if hasattr(item, "state") else "left_out"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.md", "---\ntitle: A\npublished: false\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\nDraft: yes\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\ndraft: maybe\n---\nx", "draft"),
        ("a.md", "---\ntitle: A\npublished: 2030-01-01\n---\nx", "scheduled"),
        ("a.md", "+++\ntitle = 'A'\ndraft = true\n+++\nx", "draft"),
        ("a.md", "+++\ntitle = 'A'\nexpiryDate = 2020-01-01\n+++\nx", "draft"),
        ("a.md", '{"title": "A", "publishDate": "2030-01-01"}\nx', "scheduled"),
        ("a.md", "Title: A\nStatus: hidden\n\nx", "draft"),
        ("_drafts/a.md", "---\ntitle: A\n---\nx", "draft"),
        ("a/_index.md", "---\ntitle: A\n---\nx", "left_out"),
        ("a.rss", "<rss><item><title>A</title><pubDate>Tue, 05 Mar 2036 08:00 +7</pubDate></item></rss>", "scheduled"),
        (
            "a.atom",
            ATOM_DRAFT,
            "draft",
        ),
        ("a.json", '{"db": [{"data": {"posts": [{"id": 1, "title": "A", "html": "x", "page": 1}]}}]}', "left_out"),
        ("a.json", '{"uri": "u", "headline": "A", "body_text": "x", "embargoed": "2030-01-01T00:00:00Z"}', "scheduled"),
        ("a.json", '{"guid": "u", "headline": "A", "body_text": "x", "pubstatus": "canceled"}', "draft"),
        ("a.json", '{"uri": "u", "headline": "A", "body_text": "x", "ednote": "EMBARGOED until noon"}', "draft"),
        (
            "a.ndjson",
            '{"external_id": "1", "title": "A", "body": "x", "published_at": "2030-01-01T00:00Z"}',
            "scheduled",
        ),
    ],
)
def test_readers_state_of_each_format(name: str, content: str, expected: str) -> None:
    """Each format's own way to say that an item is not public is understood."""
    (item,) = read_content(name, content.encode())
    assert outcome_of(item) == expected, item
