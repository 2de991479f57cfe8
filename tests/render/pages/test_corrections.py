"""Corrections as a page's data and as feeds."""

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from services.render.pages import corrections
from services.render.pages.theme_check import sample_article
from shared.articles import Article, Correction
from tests.render.conftest import SITE, URL

AT = datetime(2026, 11, 30, tzinfo=UTC)
ATOM = "{http://www.w3.org/2005/Atom}"


def corrected(number: int, *hours: int) -> Article:
    given = [Correction(f"Sửa <{number}.{hour}> & hết", AT + timedelta(hours=hour)) for hour in hours]
    fields: dict[str, Any] = {"id": f"a-{number}", "number": number, "language": "vi", "corrections": given}
    return msgspec.structs.replace(sample_article("tin-tuc"), **fields)


def test_feeds_have_an_entry_for_each_correction_the_newest_first() -> None:
    """IDs are permanent and differ; a changed text of a correction keeps its ID."""
    articles = [corrected(1, 5, 1), corrected(2, 3)]
    rss = ET.fromstring(corrections.rss(articles, SITE, URL).body)
    assert [one.findtext("pubDate") for one in rss.iter("item")] == [
        f"Mon, 30 Nov 2026 0{hour}:00:00 GMT" for hour in (5, 3, 1)
    ]
    assert next(rss.iter("item")).findtext("description") == "Sửa &lt;1.5&gt; &amp; hết"
    atom = ET.fromstring(corrections.atom(articles, SITE, URL).body)
    ids = [one.findtext(f"{ATOM}id") for one in atom.iter(f"{ATOM}entry")]
    assert len({*ids, *(one.findtext("guid") for one in rss.iter("item"))}) == 3
    reworded = msgspec.structs.replace(articles[1], corrections=[Correction("Khác", articles[1].corrections[0].at)])
    again = ET.fromstring(corrections.atom([reworded], SITE, URL).body)
    assert next(again.iter(f"{ATOM}entry")).findtext(f"{ATOM}id") == ids[1]
    assert atom.findtext(f"{ATOM}updated") == "2026-11-30T12:00:00+07:00"


def test_corrections_of_one_time_have_ids_of_their_own() -> None:
    """Readers of feeds take entries with one ID for one; the ID names the instant, in whatever zone it was given."""
    at = AT.astimezone(SITE.zone)
    article = msgspec.structs.replace(corrected(1, 0), corrections=[Correction("Một", AT), Correction("Hai", at)])
    rss = ET.fromstring(corrections.rss([article], SITE, URL).body)
    ids = {one.findtext("description"): str(one.findtext("guid")) for one in rss.iter("item")}
    assert ids["Một"].endswith("/correction/20261130T000000.000000Z")
    assert ids["Hai"] == f"{ids['Một']}-2"


def test_feeds_without_corrections_are_valid_and_always_the_same() -> None:
    """Atom requires a date, which is no clock's."""
    assert corrections.atom([], SITE, URL).body == corrections.atom([], SITE, URL).body
    assert ET.fromstring(corrections.atom([], SITE, URL).body).findtext(f"{ATOM}updated")
    assert list(ET.fromstring(corrections.rss([], SITE, URL).body).iter("item")) == []


def test_correction_comments_name_their_article() -> None:
    """Each is a CorrectionComment about a NewsArticle."""
    listed = corrections.correction_comments([corrected(1, 1, 2)], URL, SITE)["itemListElement"]
    assert [one["item"]["datePublished"][11:16] for one in listed] == ["09:00", "08:00"]
    assert listed[0]["item"]["about"]["url"] == f"{URL}/doi-moi-1.html"
    assert [one.at.hour for one in corrections.newest_corrections(corrected(1, 1, 2))] == [2, 1]
