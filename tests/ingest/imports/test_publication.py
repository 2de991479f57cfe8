"""What was not public at its source never becomes public."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.ingest.imports.publication import SourceState, decide
from tests.ingest.imports.samples import outcome as outcome_of
from tests.ingest.imports.samples import read_content

NOW = datetime(2026, 3, 5, 1, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def outcome(name: str, values: dict[str, Any], at: datetime | None = None) -> str:
    return decide(SourceState(name, values), at, NOW, ZONE).outcome


def test_decide_contradictions_are_drafts() -> None:
    """A schedule without a time, one that ends before it begins, and two states at once are drafts, with reasons."""
    late = decide(SourceState("ndjson", {"publish_at": "2030-01-02", "unpublish_at": "2030-01-01"}), None, NOW, ZONE)
    assert (late.outcome, late.unpublish_at) == ("draft", None)
    assert "before it begins" in late.reasons[-1]
    assert outcome("wxr", {"wp:post_type": "post", "wp:status": "future"}, datetime(2020, 1, 1, tzinfo=UTC)) == "draft"
    assert outcome("wxr", {"wp:post_type": "post", "wp:status": "publish draft"}) == "draft"


ATOM_DRAFT = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>A</title><content>x</content>'
    '<control xmlns="http://www.w3.org/2007/app"><draft>yes</draft></control></entry></feed>'
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.rss", "<rss><item><title>A</title><pubDate>Tue, 05 Mar 2036 08:00 +7</pubDate></item></rss>", "scheduled"),
        (
            "a.atom",
            ATOM_DRAFT,
            "draft",
        ),
        ("a.json", '{"db": [{"data": {"posts": [{"id": 1, "title": "A", "html": "x", "page": 1}]}}]}', "left_out"),
        ("a.json", '{"uri": "u", "headline": "A", "body_text": "x", "embargoed": "2030-01-01T00:00:00Z"}', "scheduled"),
        ("a.json", '{"uri": "u", "headline": "A", "body_text": "x", "embargoed": true}', "draft"),
        ("a.json", '{"uri": "u", "headline": "A", "body_text": "x", "PubStatus": "withheld"}', "draft"),
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
