"""Markdown with front matter, and one JSON object in each line."""

from datetime import UTC, datetime

import pytest

from services.ingest.imports.drafts import to_draft
from services.ingest.imports.item import ImportItem
from shared.articles import Paragraph, Source
from tests.ingest.imports.samples import options, read


def test_read_ndjson_each_line_is_item_or_error() -> None:
    """Each line is an article or an error of its own, with its number."""
    items = read("bulk.ndjson")
    assert [item.place for item in items] == [f"line {number}" for number in (1, 2, 4, 5, 6, 7, 8)]
    assert [isinstance(item, ImportItem) for item in items] == [True, True, False, False, True, False, False]
    assert (items[0].views, items[0].old_urls, items[0].more) == (10, ["/bai/1.html"], {"kicker": "Nông thôn mới"})
    assert items[1].body == [Paragraph("<strong>đậm</strong>")]
    with pytest.raises(ValueError, match="no section 'khong-co'"):
        to_draft(items[4], options("ndjson"))


def test_read_markdown_front_matter() -> None:
    """Front matter is read; a heading that repeats the title is removed; a date without time is a day of the site."""
    (item,) = read("trang.md")
    assert (item.external_id, item.views, item.source) == ("hugo-9", 77, Source("Bản tin xã"))
    assert item.old_urls == ["/2021/duong-lang-len-den/", "/cu/duong-den.html"]
    assert item.body[0] == Paragraph("Từ tối qua, <strong>đường làng</strong> sáng đèn.")
    assert item.body[1].caption == "Cột đèn đầu làng"
    fields = to_draft(item, options("markdown")).fields
    assert (fields["published_at"], fields["date_precision"]) == (datetime(2021, 11, 2, 17, tzinfo=UTC), "day")
