"""The structure of a site from the editor API to the pages and the statistics, through Kafka."""

from collections.abc import Iterator
from typing import Any

import pytest

SITE = "giao-thuy"
HOST = "giaothuy.example"


def call(editors: Any, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Send a request to the editor API with an administrator's token."""
    answer = editors.call(method, path, body, "admin", **headers)
    assert answer.status < 300, (method, path, answer.body)
    return answer


@pytest.fixture(scope="module")
def published(editors: Any) -> Iterator[str]:
    """Yield the path of an article of the site's first section. Afterwards the site is as other tests expect it."""
    sent = {"site": SITE, "section": "tin-tuc", "title": "Bãi triều mùa ngao", "body": "<p>Ngao.</p>"}
    sent |= {"tags": ["ngao"], "authors": ["T. Hoa"]}
    article = call(editors, "POST", "/articles", sent).json()
    call(editors, "POST", f"/articles/{article['id']}/publish", {"version": article["version"]})
    yield f"/{article['slug']}-{article['number']}.html"
    call(editors, "DELETE", f"/menus/main?site={SITE}", if_match="*")
    sent = {"slug": "tin-tuc", "name": "Tin tức"}
    call(editors, "PATCH", f"/sections/thoi-su?site={SITE}", sent, if_match="*")


def test_renamed_section_reaches_pages_and_statistics(system: Any, editors: Any, published: str, wait: Any) -> None:
    """One request moves the section everywhere: pages, feeds, redirects and the filter of the statistics."""
    wait(lambda: system.get(published, host=HOST).status == 200, what="the article")
    sections = call(editors, "GET", f"/sections?site={SITE}").json()["sections"]
    assert "tin-tuc" in [one["slug"] for one in sections], "seeded from the configuration"
    sent = {"slug": "thoi-su", "name": "Thời sự"}
    call(editors, "PATCH", f"/sections/tin-tuc?site={SITE}", sent, if_match="*")
    wait(lambda: "Thời sự" in system.get(published, host=HOST).text, what="the new name")
    moved = system.get("/tin-tuc/", host=HOST)
    assert (moved.status, moved.headers["location"]) == (301, "/thoi-su/")
    assert "Bãi triều" in system.get("/thoi-su/", host=HOST).text
    assert "Bãi triều" in system.get("/thoi-su/rss.xml", host=HOST).text

    token = system.environment["PRESSTALLY_STATISTICS_TOKENS"].split()[1]

    def is_known() -> bool:
        answer = system.get(f"/stats/{SITE}/top?period=today&section=thoi-su", authorization=f"Bearer {token}")
        return bool(answer.status == 200)

    wait(is_known, what="the section in the statistics")


def test_static_page_author_and_menu_are_shown(system: Any, editors: Any, published: str, wait: Any) -> None:
    """A page of the newsroom, an author's page and a menu that leads to both."""
    page = call(editors, "POST", "/pages", {"site": SITE, "title": "Giới thiệu", "body": "<p>Về chúng tôi.</p>"}).json()
    call(editors, "POST", f"/pages/{page['id']}/publish", {}, if_match="*")
    call(editors, "POST", "/authors", {"site": SITE, "name": "Trần Thị Hoa", "role": "Phóng viên"})
    call(editors, "POST", f"/authors/t-hoa/merge?site={SITE}", {"into": "tran-thi-hoa"})
    below = [{"kind": "tag", "target": "ngao"}, {"kind": "page", "target": page["id"]}]
    items = [{"kind": "home"}, {"kind": "section", "target": "tin-tuc", "items": below}]
    call(editors, "PUT", f"/menus/main?site={SITE}", {"items": items}, if_match="*")
    wait(lambda: "/trang/gioi-thieu.html" in system.get("/", host=HOST).text, what="the menu")
    assert "Về chúng tôi" in system.get("/trang/gioi-thieu.html", host=HOST).text
    wait(lambda: "Bãi triều" in system.get("/tac-gia/tran-thi-hoa/", host=HOST).text, what="the author's articles")
    assert 'rel="author">Trần Thị Hoa</a>' in system.get(published, host=HOST).text
