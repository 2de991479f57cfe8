"""The owner of a plain website: its pages are counted, and views of an undeclared address are explained."""

import urllib.parse
from collections.abc import Callable
from typing import Any

from services.stats.statistics.translations import WORDS
from tests.ops.test_doctor import doctor
from tests.settled import settled_counter

SITE = "giao-thuy"
TOKEN = {"authorization": "Bearer a-token-of-giao-thuy"}


def view(new_id: Callable[[], str], path: str) -> dict[str, Any]:
    return {"id": new_id(), "site": SITE, "kind": "view", "path": path}


def test_views_without_an_article_count_for_their_pages(
    system: Any, wait: Callable[..., Any], new_id: Callable[[], str]
) -> None:
    """All spellings of a path are one page, on the page, in JSON and in the list; private segments are hidden."""
    before = settled_counter(system, SITE, measure="views")["total"]
    spellings = ("/gi%E1%BB%9Bi-thi%E1%BB%87u", "/giới-thiệu?utm=x", "//giới-thiệu#a")
    for path in (*spellings, "/don-hang/123e4567-e89b-12d3-a456-426614174000"):
        sent = system.post_events(view(new_id, path), origin="https://giaothuy.example")
        assert sent.status == 202, sent.body

    def pages() -> dict[str, dict[str, Any]]:
        answer = system.get(f"/stats/{SITE}/pages?period=always", **TOKEN).json()
        return {one["page"]: one for one in answer["pages"]}

    wait(lambda: system.counter(SITE, measure="views")["total"] == before + 4, what="the views")
    wait(
        lambda: pages().get("/don-hang/*", {}).get("views") == 1, 150, "the pages"
    )  # the report is cached for a minute
    introduction = pages()["/giới-thiệu"]
    assert introduction["views"] == 3
    assert introduction["url"] == "https://giaothuy.example/" + urllib.parse.quote("giới-thiệu")
    articles = system.get(f"/stats/{SITE}/top?period=always", **TOKEN).json()["articles"]
    assert not [one for one in articles if one["article"].startswith("/")]
    assert system.get(f"/stats/{SITE}/pages").status == 401


def test_refused_origin_is_named_by_page_and_doctor(
    system: Any, wait: Callable[..., Any], new_id: Callable[[], str]
) -> None:
    """The statistics page, its JSON and the doctor say the same sentence about an address that is not declared."""
    origin = "https://undeclared.giaothuy.example"
    assert system.post_events(view(new_id, "/"), origin=origin).status == 403

    def refused() -> dict[str, int]:
        answer = system.get(f"/stats/{SITE}/refused-origins", **TOKEN).json()
        return {one["origin"]: one["views"] for one in answer["origins"]}

    wait(lambda: refused().get(origin) == 1, 60, "the report of the collector")
    sentence = WORDS["en"]["refused_origin"].format(origin=origin)
    assert sentence == f"views refused: origin {origin} is not declared"
    wait(lambda: sentence in system.get(f"/stats/{SITE}?lang=en", **TOKEN).body.decode(), what="the page")
    assert sentence in doctor(system).stdout
