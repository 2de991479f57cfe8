"""When the text of an article changed, in every way in which the live copy changes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.ingest.articles import live_copy, workflow
from services.ingest.articles.copies import StoredArticle
from services.ingest.articles.removal import undo_kill
from services.ingest.articles.text_dates import has_same_text, with_text_date
from shared.articles import (
    Article,
    Author,
    Correction,
    Crop,
    Embed,
    Figure,
    File,
    Focus,
    Image,
    Paragraph,
    Rendition,
    Rights,
    Seo,
    Source,
    updated_at,
)
from shared.sites import Section, Site

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=["https://haihau.example"],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức"), Section("van-hoa", "Văn hóa")],
)
IMAGE = Image("/media/a.jpg", "Chợ", 1600, 900, media="a")
FIGURE = Figure("Chợ Cồn", IMAGE, "Ảnh: Minh")
FILE = File("/tep/f/nghi-quyet.pdf", "Nghị quyết", media="f", bytes=5)


def article(**fields: Any) -> Article:
    given = {
        "id": "a-1",
        "number": 1,
        "site": "haihau",
        "version": 1,
        "state": "approved",
        "title": "Tựa",
        "slug": "tua",
        "section": "tin-tuc",
        "language": "vi",
        "lead": "Phần dẫn",
        "body": [Paragraph("Đoạn"), FIGURE, FILE],
        "lead_image": FIGURE,
        "authors": [Author("Minh")],
        "source": Source("Báo Nam Định"),
        "modified_at": NOW,
        "first_published_at": None,
    }
    return Article(**{**given, **fields})


def published(**fields: Any) -> StoredArticle:
    stored = StoredArticle(article(**fields), None)
    return stored.after(workflow.apply_transition("publish", stored, SITE, NOW))


def public(stored: StoredArticle) -> Article:
    assert stored.live is not None
    return stored.live


NO_TEXT: list[dict[str, Any]] = [
    {"section": "van-hoa"},
    {"also_in": ["van-hoa"]},
    {"tags": ["Đất"]},
    {"slug": "ten-khac"},
    {"priority": 1},
    {"pinned_until": LATER},
    {"featured_until": LATER},
    {"unpublish_at": LATER},
    {"seo": Seo(title="Khác")},
    {"rights": Rights("Báo")},
    {"external_id": "x"},
    {"old_urls": ["/cu.html"]},
    {"allow_print": False},
    {"language": "vi-VN"},
    {"translation_of": "b"},
    {"authors": [Author("Minh", url="https://minh.example/")]},
    {"source": Source("Báo Nam Định", url="https://bao.example/")},
    {"body": [Paragraph("Đoạn"), FIGURE, msgspec.structs.replace(FILE, name="Nghị quyết 12", url="/tep/f/12.pdf")]},
    {"lead_image": Figure("Chợ Cồn", msgspec.structs.replace(IMAGE, focus=Focus(0.1, 0.2)), "Ảnh: Minh")},
    {
        "lead_image": Figure(
            "Chợ Cồn",
            msgspec.structs.replace(
                IMAGE,
                url="/media/a-1280.webp",
                renditions=[Rendition("/media/a-640.webp", 640, 360)],
                crops=[Crop("16:9", "/media/c.jpg", 1600, 900)],
            ),
            "Ảnh: Minh",
        )
    },
]
TEXT: list[dict[str, Any]] = [
    {"title": "Tựa đúng"},
    {"lead": "Phần dẫn khác"},
    {"kicker": "Nông thôn mới"},
    {"subtitle": "Phụ"},
    {"place": "Hải Hậu"},
    {"authors": [Author("Lan")]},
    {"authors": [Author("Minh", "phóng viên")]},
    {"source": None},
    {"corrections": [Correction("Sửa ngày", LATER)]},
    {"body": [Paragraph("Đoạn khác"), FIGURE, FILE]},
    {"body": [Paragraph("Đoạn"), FILE, FIGURE]},
    {"body": [Paragraph("Đoạn"), FIGURE]},
    {"body": [Paragraph("Đoạn"), FIGURE, FILE, Embed("youtube", "x")]},
    {"body": [Paragraph("Đoạn"), FIGURE, msgspec.structs.replace(FILE, media="g", url="/tep/g/a.pdf")]},
    {"lead_image": None},
    {"lead_image": Figure("Chú thích khác", IMAGE, "Ảnh: Minh")},
    {"lead_image": Figure("Chợ Cồn", IMAGE, "Ảnh: Lan")},
    {"lead_image": Figure("Chợ Cồn", msgspec.structs.replace(IMAGE, alt="Khác"), "Ảnh: Minh")},
    {"lead_image": Figure("Chợ Cồn", msgspec.structs.replace(IMAGE, media="b", url="/media/b.jpg"), "Ảnh: Minh")},
]


@pytest.mark.parametrize("fields", NO_TEXT, ids=lambda fields: next(iter(fields)))
def test_published_change_that_nobody_reads_keeps_the_date(fields: dict[str, Any]) -> None:
    """An edit that is published, and a change of the live copy, keep the date if the text reads the same."""
    stored = published()
    edit = workflow.edit_article(stored, fields, by_publisher=True, now=LATER)
    edited = stored.after(edit)
    edited = replace(edited, head=msgspec.structs.replace(edited.head, state="approved", unpublish_at=None))
    again = edited.after(workflow.apply_transition("publish", edited, SITE, LATER))
    assert (public(again).modified_at, updated_at(public(again))) == (LATER, NOW)
    assert again.head == again.live
    if not live_copy.groups_of(fields):
        return  # only a publication changes it
    change = live_copy.change_live(stored, fields, LATER)
    assert change is not None
    assert change.live is not None
    assert (change.live.modified_at, updated_at(change.live)) == (LATER, NOW)


@pytest.mark.parametrize("fields", TEXT, ids=lambda fields: next(iter(fields)))
def test_published_change_of_the_text_has_its_own_date(fields: dict[str, Any]) -> None:
    """Everything that readers read has the date of its last change; placing it afterwards keeps that one."""
    stored = published()
    assert not has_same_text(public(stored), msgspec.structs.replace(public(stored), **fields))
    change = live_copy.change_live(stored, fields, LATER)
    assert change is not None
    changed = stored.after(change)
    assert updated_at(public(changed)) == LATER
    placed = live_copy.change_live(changed, {"priority": 1}, LATER + timedelta(days=1))
    assert placed is not None
    assert placed.live is not None
    assert updated_at(placed.live) == LATER


def test_article_of_a_former_version_keeps_the_date_that_it_showed() -> None:
    """A live copy without the date, as it was stored before, gets the time of its last change at the next one."""
    stored = published()
    old = msgspec.structs.replace(public(stored), text_updated_at=None)
    change = live_copy.change_live(StoredArticle(old, old), {"tags": ["x"]}, LATER)
    assert change is not None
    assert change.live is not None
    assert change.live.text_updated_at == NOW
    withdrawn = workflow.apply_transition("unpublish", StoredArticle(old, old), SITE, LATER)
    assert withdrawn.live is not None
    assert updated_at(withdrawn.live) == NOW


def test_withdrawn_and_killed_article_that_is_public_again_keeps_the_date() -> None:
    """Withdrawing, killing and undoing it change no text."""
    stored = published()
    stored = stored.after(workflow.apply_transition("unpublish", stored, SITE, LATER))
    stored = stored.after(workflow.apply_transition("kill", stored, SITE, LATER))
    stored = stored.after(undo_kill(stored, LATER))
    assert stored.head == stored.live
    stored = stored.after(workflow.apply_transition("publish", stored, SITE, LATER + timedelta(hours=1)))
    assert updated_at(public(stored)) == NOW


def test_scheduled_successor_with_the_same_text_keeps_the_date() -> None:
    """A scheduled version is compared with what is live when it goes live."""
    stored = published()
    for fields, date in (({"tags": ["x"]}, NOW), ({"lead": "Khác"}, LATER)):
        edited = stored.after(workflow.edit_article(stored, fields, by_publisher=True, now=NOW))
        edited = replace(edited, head=msgspec.structs.replace(edited.head, state="approved"))
        scheduled = edited.after(workflow.apply_transition("schedule", edited, SITE, NOW, publish_at=LATER))
        beside = scheduled.after(workflow.edit_article(scheduled, {"title": "Bản sau"}, by_publisher=True, now=NOW))
        for one in (scheduled, beside):
            live = workflow.publish_scheduled(one, LATER).live
            assert live is not None
            assert (updated_at(live), live.title) == (date, "Tựa")


def test_first_publication_is_as_old_as_the_given_date() -> None:
    """What was public elsewhere before keeps its date; a date in the future does not count."""
    given = NOW - timedelta(days=900)
    assert updated_at(public(published(published_at=given))) == given
    assert updated_at(public(published(published_at=LATER))) == NOW
    assert updated_at(public(published(date_precision="unknown"))) == NOW
    assert updated_at(public(published())) == public(published()).published_at == NOW


def test_picture_that_was_fetched_since_is_the_same_picture() -> None:
    """An import that fetches pictures later changes no text."""
    elsewhere = Image("https://cu.example/a.jpg", "Chợ")
    before = article(lead_image=Figure("Chợ Cồn", elsewhere, "Ảnh: Minh"))
    fetched = with_text_date(article(), msgspec.structs.replace(before, text_updated_at=NOW), LATER)
    assert updated_at(fetched) == NOW


def test_text_of_unknown_date_is_as_old_as_its_publication_here() -> None:
    """A guessed date of the first publication elsewhere is shown nowhere, also not as that of the text."""
    stored = published(published_at=NOW - timedelta(days=900), date_precision="unknown")
    assert updated_at(public(stored)) == NOW
