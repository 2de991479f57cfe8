"""One article has one identity, date, publisher and correction on its page, in feeds, sitemaps and exports."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from xml.etree import ElementTree as ET

import msgspec
import pytest

from services.ingest.articles.syndication import jsonld, ninjs
from services.render.pages import feeds, sitemaps
from services.render.pages.html import render_article
from services.render.pages.page_data import RelatedArticles
from services.render.pages.theme_check import sample_article
from shared.article_identity import local_iso, permanent_id, published_date, text_update
from shared.articles import Article
from shared.sites import Section, Site

AT = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
URL = "https://haihau.example"
SITE = Site(
    slug="haihau",
    name="Hải Hậu",
    origins=[URL],
    timezone="Asia/Ho_Chi_Minh",
    sections=[Section("tin-tuc", "Tin tức")],
    agency="UBND huyện",
    emblem="/media/emblem.svg",
)
ID = "0d9b2f66-4f0e-4c5c-9a58-0d4fd9b3a001"
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"
ATOM = "{http://www.w3.org/2005/Atom}"


def article(precision: Literal["exact", "day", "unknown"] = "exact") -> Article:
    return msgspec.structs.replace(
        sample_article("tin-tuc"), id=ID, published_at=None if precision == "unknown" else AT, date_precision=precision
    )


def surfaces(one: Article, site: Site, url: str = URL) -> dict[str, Any]:
    """Return the article as its page, both feeds, ninjs and the API's JSON-LD show it."""
    page = render_article(one, RelatedArticles(), site, url).body.decode()
    ld = re.search(r'<script type="application/ld\+json">(\{.*?\})</script>', page)
    assert ld
    return {
        "page": page,
        "page JSON-LD": msgspec.json.decode(ld[1].encode()),
        "RSS": ET.fromstring(feeds.rss([one], site, None, url).body).find("channel/item"),
        "Atom": ET.fromstring(feeds.atom([one], site, None, url).body).find(f"{ATOM}entry"),
        "ninjs": ninjs(one, site, url),
        "API JSON-LD": jsonld(one, site, url),
    }


def ids(found: dict[str, Any]) -> set[str]:
    identifier = re.search(r'name="DC.identifier" content="([^"]+)"', found["page"])
    assert identifier
    return {
        identifier[1],
        found["page JSON-LD"]["@id"],
        found["RSS"].findtext("guid"),
        found["Atom"].findtext(f"{ATOM}id"),
        found["ninjs"]["uri"],
        found["API JSON-LD"]["@id"],
    }


@pytest.mark.parametrize("identity", ["", "tag:haihau.example,2026", "tag:toasoan@haihau.example,2026-11-24"])
def test_permanent_id_on_every_surface_is_the_same(identity: str) -> None:
    """Page, feeds, ninjs and both JSON-LD have one tag URI; a new address, title, slug or version keeps it."""
    site = msgspec.structs.replace(SITE, identity=identity)
    moved = msgspec.structs.replace(site, origins=["https://moi.example:8443", URL], name="Tên mới")
    changed = msgspec.structs.replace(article(), title="Khác", slug="khac", version=2, section="khac")
    expected = f"{identity or 'tag:haihau.presstally.example,2026'}:article/{ID}"
    assert ids(surfaces(article(), site)) == {expected}
    assert ids(surfaces(changed, moved, moved.origins[0])) == {expected}


def test_permanent_id_differs_between_sites_and_articles() -> None:
    """Another article, and the same id on another site, have another URI; any id gives a valid one."""
    other = msgspec.structs.replace(article(), id="a b/ế")
    elsewhere = msgspec.structs.replace(SITE, slug="khac")
    found = {permanent_id(article(), SITE), permanent_id(other, SITE), permanent_id(article(), elsewhere)}
    assert len(found) == 3
    assert all(re.fullmatch(r"tag:[a-z0-9.-]+,\d{4}:article/[\w.~%-]+", one, re.ASCII) for one in found)


@pytest.mark.parametrize(
    ("precision", "date"), [("exact", "2026-03-05T00:30:00+07:00"), ("day", "2026-03-05"), ("unknown", None)]
)
def test_published_date_is_as_precise_as_known_everywhere(precision: Any, date: str | None) -> None:
    """A date-only article has no time of day on any surface, and an unknown date is left out."""
    one = article(precision)
    found = surfaces(one, SITE)
    assert published_date(one, SITE) == date
    assert found["page JSON-LD"].get("datePublished") == found["API JSON-LD"].get("datePublished") == date
    meta = re.search(r'"article:published_time" content="([^"]+)"', found["page"])
    assert (meta and meta[1]) == date
    exact = precision == "exact"
    assert found["RSS"].findtext("pubDate") == ("Wed, 04 Mar 2026 17:30:00 GMT" if exact else None)
    assert found["Atom"].findtext(f"{ATOM}published") == (date if exact else None)
    day = date if precision == "day" else None
    assert (found["RSS"].findtext(f"{DUBLIN_CORE}date"), found["Atom"].findtext(f"{DUBLIN_CORE}date")) == (day, day)
    assert found["ninjs"].get("contentCreated") == ("2026-03-04T17:30:00Z" if exact else None)
    if date:
        news = ET.fromstring(sitemaps.news([one], SITE, URL).body)
        assert [found.text for found in news.iter(f"{{{sitemaps.NEWS}}}publication_date")] == [date]


def test_api_json_ld_is_the_pages_json_ld_with_the_body() -> None:
    """Publisher, authors, images and corrections agree; the API adds the text of the body and the creation date."""
    one = msgspec.structs.replace(article(), created_at=AT)
    found = surfaces(one, SITE)
    page, api = found["page JSON-LD"], found["API JSON-LD"]
    assert {name: api[name] for name in page} == page
    assert api.keys() - page.keys() == {"articleBody", "dateCreated"}
    logo = {"@type": "ImageObject", "url": f"{URL}/media/emblem.svg"}
    organization = {"@type": "NewsMediaOrganization", "name": "UBND huyện", "url": f"{URL}/", "logo": logo}
    assert page["publisher"] == organization
    (correction,) = page["correction"]
    assert (correction["@type"], correction["text"]) == ("CorrectionComment", "Corrected")
    assert correction["datePublished"].endswith("+07:00")


def test_date_of_the_text_is_the_same_on_every_surface() -> None:
    """Page, JSON-LD, Atom, RSS and readers' line have the date of the text, and not of the last change of anything."""
    text, changed = AT + timedelta(hours=3), AT + timedelta(days=9)
    one = msgspec.structs.replace(article(), modified_at=changed, text_updated_at=text)
    found, iso = surfaces(one, SITE), "2026-03-05T03:30:00+07:00"
    assert f'<meta property="article:modified_time" content="{iso}">' in found["page"]
    assert f'Cập nhật: <time datetime="{iso}">' in found["page"]
    assert found["page JSON-LD"]["dateModified"] == found["API JSON-LD"]["dateModified"] == iso
    assert found["Atom"].findtext(f"{ATOM}updated") == iso
    feed = ET.fromstring(feeds.atom([one], SITE, None, URL).body)
    assert feed.findtext(f"{ATOM}updated") == iso
    assert ET.fromstring(feeds.rss([one], SITE, None, URL).body).findtext("channel/lastBuildDate") == (
        "Wed, 04 Mar 2026 20:30:00 GMT"
    )


def test_text_that_is_as_old_as_its_publication_shows_no_update() -> None:
    """No line for readers without a later change, without a date, or in messages of before; a day stays a day."""
    for fields in (
        {"text_updated_at": AT},
        {"text_updated_at": AT + timedelta(seconds=30)},
        {"text_updated_at": None, "modified_at": AT + timedelta(days=9)},
        {"text_updated_at": AT + timedelta(days=9), "published_at": None, "date_precision": "unknown"},
        {"text_updated_at": AT + timedelta(hours=9), "date_precision": "day"},
    ):
        one = msgspec.structs.replace(article(), **fields)
        assert text_update(one) is None
        assert "Cập nhật:" not in surfaces(one, SITE)["page"]
    of_a_day = msgspec.structs.replace(article("day"), text_updated_at=AT)
    assert surfaces(of_a_day, SITE)["page JSON-LD"]["dateModified"] == "2026-03-05"
    assert text_update(msgspec.structs.replace(of_a_day, text_updated_at=AT + timedelta(days=2))) is not None


@pytest.mark.parametrize(
    ("zone", "instant", "expected"),
    [
        ("Asia/Ho_Chi_Minh", datetime(1900, 1, 1, tzinfo=UTC), "1900-01-01T07:06:00+07:06"),
        ("Europe/Amsterdam", datetime(1930, 7, 1, 12, tzinfo=UTC), "1930-07-01T13:20:00+01:20"),
        ("America/New_York", datetime(1900, 6, 1, tzinfo=UTC), "1900-05-31T19:00:00-05:00"),
        ("Africa/Monrovia", datetime(1950, 1, 1, tzinfo=UTC), "1949-12-31T23:16:00-00:44"),
        ("Asia/Ho_Chi_Minh", datetime(2026, 3, 4, 17, 30, tzinfo=UTC), "2026-03-05T00:30:00+07:00"),
    ],
)
def test_local_iso_of_any_year_is_rfc_3339(zone: str, instant: datetime, expected: str) -> None:
    """The offset has hours and minutes only, also of years when clocks had other ones; the instant is the same."""
    text = local_iso(instant, msgspec.structs.replace(SITE, timezone=zone))
    assert text == expected
    assert datetime.fromisoformat(text) == instant


def test_published_date_of_an_old_day_is_that_day() -> None:
    """Midnight of a day before whole minutes is not the evening of the day before."""
    midnight = datetime(1905, 5, 1, tzinfo=SITE.zone).astimezone(UTC)
    assert published_date(msgspec.structs.replace(article("day"), published_at=midnight), SITE) == "1905-05-01"
