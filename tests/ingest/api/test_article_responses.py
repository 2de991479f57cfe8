"""Articles with their copies as responses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingest.api.article_responses import article_response
from services.ingest.articles.copies import StoredArticle
from services.ingest.auth.callers import Caller, Grant
from services.ingest.content.errors import field_error
from shared.sites import Site

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
EDITOR = Caller("5f2c81aa", "Lan", frozenset({Grant("publish")}))
READER = Caller("5f2c81ab", "An", frozenset({Grant("read")}))


def test_article_response_of_a_draft_has_no_url_and_its_steps(new_article: Any, site: Site) -> None:
    """A draft was never public: it has no live version and no URL, and the transitions of its state."""
    found = article_response(
        StoredArticle(new_article(), None), EDITOR, site, NOW, [field_error("body", "removed_tags", tags="script")]
    )
    assert (found.live_version, found.live_state, found.url, found.problem) == (None, None, None, None)
    assert found.steps == ["submit"]
    assert article_response(StoredArticle(new_article(), None), READER, site, NOW).steps == []
    assert found.warnings[0] == field_error("body", "removed_tags", tags="script")


@pytest.mark.parametrize(
    ("fields", "is_open"),
    [
        ({"state": "published", "first_published_at": NOW}, True),
        ({"state": "published", "first_published_at": NOW + timedelta(seconds=1)}, False),
        ({"state": "unpublished", "first_published_at": NOW}, False),
    ],
)
def test_article_response_has_the_url_of_the_live_version(
    new_article: Any, site: Site, fields: dict[str, Any], is_open: bool
) -> None:
    """The URL is that of the published version, not of the working one, and is there only while it is public."""
    live = new_article(version=2, slug="tua-cu", **fields)
    found = article_response(StoredArticle(new_article(version=3, slug="tua-moi"), live), EDITOR, site, NOW)
    assert found.url == (f"{site.url}/tua-cu-1.html" if is_open else None)
    assert (found.version, found.live_version, found.live_state) == (3, 2, fields["state"])


def test_article_response_names_what_differs_between_the_copies(new_article: Any, site: Site) -> None:
    """The fields of the content that differ, what is behind the live version, and the schedule."""
    live = new_article(version=2, state="published", title="Đúng")
    scheduled = new_article(version=3, state="scheduled", lead="Hẹn", publish_at=NOW)
    changes = {"working": {"title": "Tựa"}, "scheduled": {"title": "Tựa", "tags": []}}
    stored = StoredArticle(new_article(version=4), live, scheduled=scheduled, live_changes=changes)
    found = article_response(stored, EDITOR, site, NOW)
    assert (found.differs_from_live, found.differs_from_scheduled) == (["title"], ["lead", "publish_at"])
    assert (found.scheduled_version, found.scheduled_for, found.behind_live) == (3, NOW, ["title"])
    assert [one.field for one in found.warnings] == ["title", "title"]
    assert (found.carry_over, found.superseded_schedule, found.kept_from_live) == (None, None, None)
