"""An article ↔ its form."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.ingest.content.errors import InvalidContentError
from services.ingest.newsroom.article_form import article_form, changed_fields, new_form, sent_fields

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
ARTICLE: dict[str, Any] = {
    "title": "Chợ Cồn",
    "section": "tin-tuc",
    "body": [{"type": "paragraph", "html": "Đoạn"}],
    "authors": [{"name": "Trần Nam", "role": "Phóng viên, ảnh", "url": "https://haihau.example/nam"}],
    "source": {"name": "Báo Nam Định", "label": "Theo", "url": None},
    "seo": {"title": "", "description": "Mô tả", "noindex": True, "canonical": None},
    "publish_at": "2026-12-01T00:00:00Z",
    "tags": ["chợ", "Hải Hậu"],
    "priority": 3,
}


def test_each_field_comes_back_as_it_was() -> None:
    """Sending all fields of a form gives the article's values."""
    form = article_form(ARTICLE, ZONE)
    sent = sent_fields(form, list(ARTICLE), ZONE)
    assert sent["authors"] == ARTICLE["authors"]
    assert (sent["source"], sent["seo"], sent["tags"]) == (ARTICLE["source"], ARTICLE["seo"], ARTICLE["tags"])
    preferred = {**ARTICLE["seo"], "canonical": "https://namdinh.example/cho-con"}
    assert sent_fields(article_form({**ARTICLE, "seo": preferred}, ZONE), ["seo"], ZONE)["seo"] == preferred
    assert sent["publish_at"] == "2026-12-01T07:00:00+07:00"
    assert (sent["title"], sent["priority"]) == ("Chợ Cồn", 3)


def test_only_changed_fields_are_named() -> None:
    """A part of a field changes the field; line breaks in a title are spaces."""
    before = article_form(ARTICLE, ZONE)
    after = {**before, "seo_noindex": "", "title": "Chợ\nCồn mới"}
    assert changed_fields(after, before) == ["title", "seo"]
    assert sent_fields(after, ["title"], ZONE) == {"title": "Chợ Cồn mới"}
    assert changed_fields(new_form(), new_form()) == []


def test_values_that_cannot_be_read_name_their_field() -> None:
    """The form is shown again with the message beside the field."""
    for name, value in (("publish_at", "mai"), ("priority", "cao"), ("lead_image", "ảnh")):
        with pytest.raises(InvalidContentError) as raised:
            sent_fields({**new_form(), name: value}, [name], ZONE)
        assert raised.value.errors[0].field == name


def test_empty_parts_remove_a_field() -> None:
    """A source without a name, and empty settings for search engines, are null."""
    assert sent_fields(new_form(), ["source", "seo", "rights", "slug"], ZONE) == dict.fromkeys(
        ["source", "seo", "rights", "slug"]
    )
