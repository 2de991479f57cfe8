"""Ready-made pages: complete in both languages, and read by the forms as they are written."""

from dataclasses import replace

import msgspec
import pytest

from services.ingest.newsroom.markdown import api_blocks
from services.ingest.newsroom.ready_pages import BY_KEY, READY_PAGES, ReadyPage, existing
from shared.sites import Site
from shared.slugs import name_slug

SITE = Site(slug="s", name="S", origins=["https://s.example"], timezone="UTC")


@pytest.mark.parametrize("ready", READY_PAGES, ids=lambda one: one.key)
def test_ready_page_is_read_as_headings_and_tables(ready: ReadyPage) -> None:
    """Its Markdown is headings, texts and tables with header cells, and its address is that of its title."""
    blocks = api_blocks(ready.body)
    assert {one["type"] for one in blocks} == {"heading", "paragraph", "table"}
    tables = [one for one in blocks if one["type"] == "table"]
    assert all(cell["header"] for table in tables for cell in table["rows"][0])
    assert ready.slug == name_slug(ready.title)
    assert ready.description


def test_each_kind_is_there_in_both_languages() -> None:
    """Organisation and contact, Vietnamese and English, with officials' name, title, unit, phone and e-mail."""
    assert list(BY_KEY) == ["organization-vi", "organization-en", "contact-vi", "contact-en"]
    for one in READY_PAGES:
        other = BY_KEY[f"{one.kind}-{'en' if one.language == 'vi' else 'vi'}"]
        assert one.body.count("<th>") == other.body.count("<th>") > 0
        assert one.body.count("## ") == other.body.count("## ")
    assert "<th>Name</th><th>Title</th><th>Unit</th><th>Phone</th><th>E-mail</th>" in BY_KEY["contact-en"].body


def test_form_names_another_language_than_that_of_the_site_only() -> None:
    """A Vietnamese page of a Vietnamese site has no language of its own, an English one has."""
    assert [BY_KEY[key].form(SITE)["language"] for key in ("contact-vi", "contact-en")] == ["", "en"]
    english = msgspec.structs.replace(SITE, language="en")
    assert [BY_KEY[key].form(english)["language"] for key in ("contact-vi", "contact-en")] == ["vi", ""]
    assert BY_KEY["contact-vi"].form(None)["language"] == "vi"


def test_existing_page_is_found_by_kind_and_language() -> None:
    """A public page comes before a draft; pages of the site's own language need not name it."""
    ready = BY_KEY["contact-vi"]
    row = {"kind": "contact", "language": "", "state": "draft", "id": "1"}
    rows = [row, {**row, "state": "published", "id": "2"}, {**row, "language": "en", "id": "3"}]
    rows.append({**row, "kind": "page", "id": "4"})
    found = existing(ready, rows, SITE)
    assert found is not None
    assert found["id"] == "2"
    english = existing(BY_KEY["contact-en"], rows, SITE)
    assert english is not None
    assert english["id"] == "3"
    assert existing(replace(ready, kind="organization"), rows, SITE) is None
