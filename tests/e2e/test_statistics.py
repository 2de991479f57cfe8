"""The statistics over HTTP, on the real system: what was sent is what is shown, to whom it may be shown."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

NewId = Callable[[], str]
Wait = Callable[..., Any]


def view(new_id: NewId, **more: Any) -> dict[str, Any]:
    return {"id": new_id(), "site": "haihau", "kind": "view", "path": "/tin.html", **more}


def sample(system: Any) -> tuple[str, str]:
    """Return the id and the path of the sample article."""
    path = system.sample_path()
    article = re.search(r'presstally:article" content="([^"]+)"', system.get(path).text)
    assert article
    return article[1], path


def views_of(system: Any, article: str) -> int:
    found = system.get("/stats/haihau/top?period=today&limit=100").json()["articles"]
    return next((one["views"] for one in found if one["article"] == article), 0)


def test_view_reaches_history_top_articles_and_online(system: Any, new_id: NewId, wait: Wait) -> None:
    """Views of an article show in today's bucket, in most read with its title and link, and among what is read now."""
    article, path = sample(system)
    wait(lambda: system.get("/stats/haihau/top?period=now").status == 200)
    before = views_of(system, article)
    for _ in range(3):
        event = view(new_id, article=article, referrer="https://www.example.org/x")
        assert system.post_events(event, user_agent=system.another_person()).status == 202
    wait(lambda: views_of(system, article) == before + 3, what="the views in most read")
    one = next(one for one in system.get("/stats/haihau/top?limit=100").json()["articles"] if one["article"] == article)
    assert one["title"].startswith("Hải Hậu mở lại")
    assert one["url"] == system.url + path
    now = wait(
        lambda: [
            one for one in system.get("/stats/haihau/top?period=now").json()["articles"] if one["article"] == article
        ]
    )
    assert now[0]["online"] >= 3
    history = system.get(f"/stats/haihau/history?step=day&article={article}").json()
    assert history["buckets"][-1]["views"] == before + 3
    assert history["total"]["views"] == before + 3
    assert len(history["buckets"]) == 30
    page = wait(lambda: (text := system.get("/stats/haihau").text) and "example.org" in text and text, 30)
    assert "Hải Hậu mở lại" in page


def test_json_csv_and_xlsx_have_the_same_values(system: Any) -> None:
    """The files say the same as the JSON answer, hour by hour and article by article."""
    for query in ("step=hour", "step=day", "step=week", "step=month"):
        buckets = system.get(f"/stats/haihau/history?{query}").json()["buckets"]
        content = system.get(f"/stats/haihau/history.csv?{query}").body
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))[1:]
        assert [[int(cell) for cell in row[2:]] for row in rows] == [
            [one["views"], one["visits"], one["visitors"]] for one in buckets
        ]
    answer = system.get("/stats/haihau/top.xlsx?period=always&limit=100&lang=en")
    assert 'filename="haihau-top-always' in answer.headers["content-disposition"]
    book = openpyxl.load_workbook(io.BytesIO(answer.body))
    assert [sheet.title for sheet in book] == ["Most read", "By section"]
    titles = {row[1] for row in book["Most read"].iter_rows(values_only=True)}
    assert "Hải Hậu mở lại thư viện lưu động cho học sinh các xã ven biển" in titles


def test_fragment_is_a_plain_list(system: Any) -> None:
    """Pages of other origins may fetch most read as a list of links; articles that are not live are not in it."""
    answer = system.get("/stats/haihau/top.html?period=always&numbers=no")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert re.fullmatch(r'<ol class="presstally-top">\n(<li><a href="[^"]+">[^<]+</a></li>\n)*</ol>', answer.text)
    assert sample(system)[1] in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "history?step=minute",
        "history?from=gestern",
        "history?step=hour&from=2020-01-01",
        "history?step=hour&article=x",
        "history?section=khong-co",
        "history?article=x&section=tin-tuc",
        "top?limit=0",
        "top?limit=101",
        "top?limit=%C2%B2",
        "top?period=year",
        "top?measure=clicks",
        "top?from=2026-03-05&to=2026-03-04",
        "sections?period=now",
        "top.html?numbers=maybe",
    ],
)
def test_invalid_requests_get_clear_problems(system: Any, path: str) -> None:
    """A bad value is a problem document of status 422 that names the field."""
    answer = system.get(f"/stats/haihau/{path}")
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["field"]


def test_unknown_site_is_not_found(system: Any) -> None:
    """An undeclared site is a 404 for every request; so is an unknown asset."""
    for path in ("", "/top", "/history.csv", "/top.html", "/sections"):
        assert system.get(f"/stats/khong-co{path}").status == 404
    assert system.get("/stats/assets/secrets.txt").status == 404
    assert system.get("/stats/haihau/").headers["location"] == "/stats/haihau"


PRIVATE = ["", "/top", "/top.csv", "/top.xlsx", "/top.html", "/history", "/history.csv", "/history.xlsx", "/sections"]


@pytest.mark.parametrize("path", PRIVATE)
def test_site_with_a_token_requires_it(system: Any, path: str) -> None:
    """Page, data and exports ask for the token; with it they answer, and no cache keeps them. The counter is public."""
    url = f"/stats/giao-thuy{path}"
    token = system.environment["PRESSTALLY_STATISTICS_TOKENS"].split()[1]
    refused = system.get(url)
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert system.get(f"{url}?token=wrong-token-of-16-characters").status == 401
    for answer in (
        system.get(url, authorization=f"Bearer {token}"),
        system.get(f"{url}?token={token}"),
    ):
        assert answer.status == 200
        assert answer.headers["cache-control"] == "private, no-store"
    assert system.get("/stats/giao-thuy/counter").status == 200


def test_page_loads_nothing_from_elsewhere(system: Any) -> None:
    """The policy allows no inline script and no other origin, and no referrer leaves the page."""
    answer = system.get("/stats/haihau")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<script(?![^>]*src=)|<[^>]* style=|<[^>]* on[a-z]+=", answer.text)
    for address in re.findall(r'(?:src|href)="(/stats/assets/[^"]+)"', answer.text):
        asset = system.get(address)
        assert (asset.status, "immutable" in asset.headers["cache-control"]) == (200, True)


def test_vendored_files_have_their_licences() -> None:
    """Each vendored library has its licence next to it."""
    root = Path(__file__).parent.parent.parent
    for folder, name in (("services/stats/statistics/assets/vendor", "uplot"), ("tests/browser/vendor", "axe")):
        assert (root / folder / f"{name}.LICENSE").stat().st_size > 500
