"""Markdown with front matter, and one JSON object in each line."""

from datetime import UTC, datetime

import pytest

from services.ingest.imports.drafts import to_draft
from services.ingest.imports.item import ImportItem, LeftOutItem
from shared.articles import Paragraph, Source
from tests.ingest.imports.samples import options, read, read_content


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


def test_read_markdown_names_and_tags_of_other_generators() -> None:
    """Authors may be mappings, tags a text with commas, and groups of Hugo and Zola have fields of the page."""
    yaml = "---\ntitle: A\nauthors:\n - name: Lan\n - Mai\ntags: một, hai\nsource: {name: TTXVN}\n---\nx\n"
    (item,) = read_content("a.md", yaml.encode())
    assert ([one.name for one in item.authors], item.tags, item.source.name) == (
        ["Lan", "Mai"],
        ["một", "hai"],
        "TTXVN",
    )
    toml = '+++\ntitle = "B"\n[taxonomies]\ntags = ["a"]\n[extra]\nauthor = "Mai"\n+++\nx\n'
    (item,) = read_content("b.md", toml.encode())
    assert ([one.name for one in item.authors], item.tags) == (["Mai"], ["a"])


def test_read_markdown_address_with_placeholders_is_filled_in() -> None:
    """Jekyll's placeholders are values of the page; two pages with the same ones have different addresses."""
    front = "---\ntitle: A\ncategories: [tin-tuc, le-hoi]\npermalink: /:categories/:year/:title.html\n---\nx\n"
    (item,) = read_content("_posts/2020-3-4-bai-mot.md", front.encode())
    assert item.old_urls == ["/tin-tuc/le-hoi/2020/bai-mot.html"]
    (item,) = read_content("trang.md", front.encode())
    assert (item.old_urls, item.external_id) == ([], "trang.md")


def test_read_markdown_aliases_that_cannot_be_redirected_are_reported() -> None:
    """An alias relative to its page, or a damaged one, costs itself."""
    (item,) = read_content("a.md", b"---\ntitle: A\naliases: [/cu/, cu2.html, 'http://[bad']\n---\nx\n")
    assert (item.old_urls, [one.field for one in item.warnings]) == (["/cu/"], ["aliases", "aliases"])


def test_read_markdown_file_about_its_folder_is_left_out() -> None:
    """A README without front matter is no page."""
    (item,) = read_content("README.md", b"# Kho\n\nx\n")
    assert isinstance(item, LeftOutItem)


def test_read_markdown_permalink_without_a_slash_is_an_old_address() -> None:
    """Addresses of Hexo and Hugo start at the root of the site; the ID of the page stays the same."""
    (page,) = read_content("a.md", b"---\ntitle: A\npermalink: tin/bai.html\n---\nx\n")
    assert (page.old_urls, page.external_id) == (["/tin/bai.html"], "a.md")
