"""Items become drafts of articles: sections, tags, authors, and what must not stay public."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.imports.drafts import identity_of, to_draft
from services.ingest.imports.item import ImportItem
from services.ingest.imports.publication import SourceState
from shared.articles import Author, Paragraph
from tests.ingest.imports.samples import options

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def item(**fields: Any) -> ImportItem:
    given = {"title": "Tựa", "body": [Paragraph("x")], "section": "tin-tuc"}
    return ImportItem(place="item 1", external_id="1", **{**given, **fields})


def test_to_draft_section_is_the_first_that_the_site_has() -> None:
    """The most specific category that the site has is the section, by slug or by name."""
    found = item(section="Chợ phiên", more_sections=["thong-bao", "tin-tuc"])
    assert to_draft(found, options("wxr")).fields["section"] == "thong-bao"
    assert to_draft(item(section="THÔNG BÁO"), options("wxr")).fields["section"] == "thong-bao"
    with pytest.raises(ValueError, match="no section 'Chợ'"):
        to_draft(item(section="Chợ"), options("wxr"))


def test_to_draft_other_categories_are_reported_or_become_tags() -> None:
    """Categories besides the section are named in a warning, or become tags if that was asked."""
    found = item(categories=["Tin tức", "Lễ hội", "Chợ"], tags=["chợ"])
    draft = to_draft(found, options("wxr"))
    assert draft.fields["tags"] == ["chợ"]
    assert [str(one) for one in draft.warnings] == [
        "categories are not carried over: an article has one section; --categories-as-tags keeps them: Lễ hội, Chợ"
    ]
    draft = to_draft(found, options("wxr", categories_as_tags=True))
    assert (sorted(draft.fields["tags"]), draft.warnings) == (["Lễ hội", "chợ"], [])


def test_to_draft_reports_tags_and_authors_above_the_limits() -> None:
    """Tags and authors that an article cannot have are named."""
    draft = to_draft(item(tags=["t" * 61], authors=[Author(f"A{n}") for n in range(11)]), options("wxr"))
    assert sorted(str(one) for one in draft.warnings) == [
        "authors are more than 10: A10",
        f"tags are too many or too long: {'t' * 61}",
    ]


@pytest.mark.parametrize(
    ("fields", "withdrawal"),
    [
        ({"state": SourceState("wxr", {"wp:post_type": "post", "wp:status": "private"})}, "wp:status is 'private'"),
        ({"state": SourceState("wxr", {"wp:post_type": "post", "wp:status": "publish"})}, ""),
        ({"state": SourceState("wxr", {"wp:post_type": "post", "wp:status": "publish"}), "body": []}, ""),
        ({"state": SourceState("ninjs", {"expires": "2020-01-01"})}, "expires is in the past: 2020-01-01 00:00"),
    ],
)
def test_to_draft_withdrawal_is_what_the_source_says(fields: dict[str, Any], withdrawal: str) -> None:
    """An item that is not public at its source must not stay public; one without text says nothing of that."""
    assert to_draft(item(**fields), options("wxr"), NOW).withdrawal == withdrawal


def test_identity_of_long_id_is_a_checksum() -> None:
    """An ID that is too long is stored as its checksum, within the format and the site."""
    assert identity_of(options("feed"), "x") == ("feed:mau", "x")
    assert len(identity_of(options("feed"), "x" * 256)[1]) == 64
