"""An article as schema.org NewsArticle, and the summaries that feeds and pages share."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.articles import Article, Author, Correction, Crop, Figure, File, Image, Paragraph, Rights, Source
from shared.sites import Section, Site
from shared.structured_data import crop, hosted_images, is_hosted, news_article, publisher, summary, truncate

URL = "https://haihau.example"
AT = datetime(2026, 11, 24, 3, tzinfo=UTC)
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=[URL],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
)


def article(**fields: Any) -> Article:
    given: dict[str, Any] = {
        "id": "a-1",
        "number": 1,
        "site": "haihau",
        "version": 3,
        "state": "published",
        "title": "Tựa",
        "slug": "tua",
        "section": "tin-tuc",
        "language": "vi",
        "body": [],
        "modified_at": AT,
        "first_published_at": AT,
        "published_at": AT,
    }
    return Article(**{**given, **fields})


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("một hai ba", 10, "một hai ba"),
        ("một hai ba", 9, "một hai…"),
        ("một hai ba", 7, "một hai…"),
        ("một hai ba", 6, "một…"),
        ("một, hai", 5, "một…"),
        ("abcdefgh", 4, "abcd…"),
        ("", 4, ""),
    ],
)
def test_truncate_cuts_between_words(text: str, limit: int, expected: str) -> None:
    """A text that is too long ends after a complete word, without punctuation, and with an ellipsis."""
    assert truncate(text, limit) == expected


def test_summary_without_lead_is_the_first_paragraph() -> None:
    """The lead is preferred; else the first paragraph, as plain text; else it is empty."""
    body = [Figure("x"), Paragraph("Đoạn <em>một</em> &amp; hai"), Paragraph("ba")]
    assert summary(article(lead="Dẫn", body=body)) == "Dẫn"
    assert summary(article(body=body)) == "Đoạn một & hai"
    assert summary(article(body=body), 8) == "Đoạn một…"
    assert summary(article()) == ""


def test_hosted_images_leave_out_other_servers() -> None:
    """Only images of the portal are shown: a page loads nothing from elsewhere."""
    own, other = Image("/media/a.jpg", ""), Image("https://elsewhere.example/media/b.jpg", "")
    assert (is_hosted(own), is_hosted(other)) == (True, False)
    assert hosted_images(article(lead_image=Figure("", other), body=[Figure("", own)])) == [own]


def test_publisher_with_agency_and_emblem_has_name_and_logo() -> None:
    """The agency is the publisher, or else the site; a logo is there only with an emblem."""
    assert publisher(SITE, URL) == {"@type": "NewsMediaOrganization", "name": "Hải Hậu", "url": f"{URL}/"}
    site = Site(slug="x", name="X", origins=[URL], timezone="UTC", agency="UBND", emblem="/a.svg")
    assert publisher(site, URL)["name"] == "UBND"
    assert publisher(site, URL)["logo"] == {"@type": "ImageObject", "url": f"{URL}/a.svg"}


def test_news_article_of_a_plain_article_has_no_empty_property() -> None:
    """Properties without a value are left out, and the publisher is the author where nobody is named."""
    found = news_article(article(), SITE, URL)
    assert all(found.values())
    assert not {"image", "keywords", "correction", "isBasedOn", "expires", "contentLocation"} & found.keys()
    assert found["author"] == [found["publisher"]]
    assert (found["identifier"], found["version"], found["url"]) == ("a-1", 3, f"{URL}/tua-1.html")
    assert (found["articleSection"], found["datePublished"]) == ("Tin tức", "2026-11-24T10:00:00+07:00")


def test_news_article_of_a_rich_article_names_people_source_rights_and_corrections() -> None:
    """Authors, source, rights, place, expiry, images and corrections appear with their schema.org types."""
    found = news_article(
        article(
            section="gone",
            subtitle="",
            kicker="Nông thôn mới",
            authors=[Author("An", url="https://an.example/"), Author("Bình")],
            source=Source("Báo", url="https://bao.example/1"),
            rights=Rights("UBND", "Giữ bản quyền"),
            place="Cồn",
            tags=["chợ"],
            unpublish_at=AT,
            corrections=[Correction("Sửa tên", AT)],
            lead_image=Figure("Chợ", Image("/media/a.jpg", "Cổng chợ", 1280, 853)),
        ),
        SITE,
        URL,
    )
    assert found["author"] == [
        {"@type": "Person", "name": "An", "url": "https://an.example/"},
        {"@type": "Person", "name": "Bình"},
    ]
    assert (found["articleSection"], found["alternativeHeadline"]) == ("gone", "Nông thôn mới")
    assert (found["sourceOrganization"]["name"], found["isBasedOn"]) == ("Báo", "https://bao.example/1")
    assert (found["copyrightHolder"]["name"], found["copyrightNotice"]) == ("UBND", "Giữ bản quyền")
    assert (found["contentLocation"]["name"], found["expires"]) == ("Cồn", "2026-11-24T10:00:00+07:00")
    assert found["correction"][0]["text"] == "Sửa tên"
    assert found["image"] == [
        {"@type": "ImageObject", "url": f"{URL}/media/a.jpg", "caption": "Cổng chợ", "width": 1280, "height": 853}
    ]


def test_news_article_has_the_crops_before_the_whole_image() -> None:
    """Search engines get each shape of the lead image with its real size, and then the whole image."""
    crops = [Crop("16:9", "/media/w.jpg", 1600, 900), Crop("1:1", "/media/s.jpg", 1200, 1200)]
    image = Image("/media/a.jpg", "Ảnh", 1600, 1200, crops=crops)
    found = news_article(article(lead_image=Figure("c", image)), SITE, URL)["image"]
    assert [(one["url"], one["width"], one["height"]) for one in found] == [
        (f"{URL}/media/w.jpg", 1600, 900),
        (f"{URL}/media/s.jpg", 1200, 1200),
        (f"{URL}/media/a.jpg", 1600, 1200),
    ]
    assert crop(image, "1:1") == crops[1]
    assert crop(image, "3:2") is image


def test_news_article_has_its_files_as_media() -> None:
    """Documents of the site are media objects with type and size; files elsewhere are links of the text."""
    own = File("/tep/x/a.pdf", "Nghị quyết", "x", 123, "application/pdf")
    found = news_article(article(body=[own, File("https://a.example/b.pdf", "B")]), SITE, URL)["associatedMedia"]
    assert found == [
        {
            "@type": "MediaObject",
            "name": "Nghị quyết",
            "contentUrl": f"{URL}/tep/x/a.pdf",
            "encodingFormat": "application/pdf",
            "contentSize": "123",
        }
    ]
