"""What a portal has besides articles, in bad weather: cards, corrections, static pages, banners, authors and menus.

All go one way: API, Kafka, builder, pages. What is withdrawn is gone everywhere, also after a rebuild and in an export.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.test_export import export, pages_of
from tests.e2e.test_portal_rebuild import run
from tests.leads import leads

CORRECTIONS = "/luu-tru/dinh-chinh/"
SITE = "?site=haihau"


def call(editors: Any, method: str, path: str, body: Any = None, status: int = 0, **headers: str) -> Any:
    answer = editors.call(method, path, body, "admin", **headers)
    assert answer.status == status or (not status and answer.status < 300), (method, path, answer.status, answer.text)
    return answer


def path_of(article: dict[str, Any]) -> str:
    return f"/{article['slug']}-{article['number']}.html"


@pytest.fixture(scope="module")
def restored(editors: Any) -> Iterator[None]:
    """Menus, banners and static pages are as they were, afterwards."""
    before = {one["id"] for one in call(editors, "GET", f"/pages{SITE}").json()["pages"]}
    yield
    for page in call(editors, "GET", f"/pages{SITE}").json()["pages"]:
        if page["id"] not in before:
            call(editors, "POST", f"/pages/{page['id']}/unpublish", {})
            call(editors, "DELETE", f"/pages/{page['id']}", if_match="*")
    call(editors, "DELETE", f"/menus/footer{SITE}", if_match="*")
    call(editors, "PUT", f"/banners{SITE}", {"items": []}, if_match="*")


def cards(system: Any, editors: Any, wait: Any) -> Any:
    """Publish an article with cards of others in every state; return it once the last one is public."""
    titles = {"live": "Kè biển Thịnh Long", "draft": "Nháp kín đáo", "killed": "Tin đã rút", "later": "Hẹn giờ lên"}
    made = {name: editors.create(title) for name, title in titles.items()}
    for name in ("live", "killed"):
        editors.publish(made[name]["id"])
    for step in ("submit", "approve"):
        editors.step(made["later"]["id"], step)
    due = datetime.now(UTC) + timedelta(seconds=8)
    later = {"publish_at": due.isoformat(), "version": editors.version(made["later"]["id"])}
    call(editors, "POST", f"/articles/{made['later']['id']}/schedule", later)
    body = [{"type": "related", "article": one["id"]} for one in made.values()]
    article = editors.create("Bài có bốn thẻ", body=[{"type": "paragraph", "html": "Mở đầu."}, *body])
    editors.publish(article["id"])
    path = path_of(article)
    wait(lambda: titles["killed"] in system.get(path).text, what="the card of a public article")
    editors.step(made["killed"]["id"], "kill", {"reason": "sai"})
    wait(lambda: titles["killed"] not in system.get(path).text, what="the card of a killed article is gone")
    early = system.get(path).text
    if datetime.now(UTC) < due:
        assert titles["later"] not in early
    wait(lambda: titles["later"] in system.get(path).text, what="the card of a scheduled article")
    for address in (path, f"/ban-luu{path}"):
        shown = system.get(address).text
        assert [title in shown for title in titles.values()] == [True, False, False, True], address
    assert 'class="inside"' in system.get(f"/ban-luu{path}").text
    draft = made["draft"]["id"]
    discarded = call(editors, "DELETE", f"/articles/{draft}", if_match=f'"{editors.version(draft)}"')
    assert discarded.status == 204
    version = editors.version(article["id"])
    call(editors, "PATCH", f"/articles/{article['id']}/live", {"title": "Bài có ba thẻ", "version": version})
    wait(lambda: "Bài có ba thẻ" in system.get(path).text, what="the fix beside a card of a discarded article")
    return article


def corrections(system: Any, editors: Any, wait: Any) -> Any:
    """Correct an article twice at one time, withdraw it and bring it back; return it."""
    article = editors.create("Bài có đính chính")
    editors.publish(article["id"])
    at = "2026-03-05T00:30:00+07:00"
    both = [{"text": "Sửa số “tấn” & <b>đơn vị</b>", "at": at}, {"text": "Sửa lần hai", "at": at}]
    version = editors.version(article["id"])
    call(editors, "PATCH", f"/articles/{article['id']}/live", {"corrections": both, "version": version})
    addresses = (CORRECTIONS, f"{CORRECTIONS}rss.xml", f"{CORRECTIONS}atom.xml")
    wait(lambda: all("Sửa lần hai" in system.get(one).text for one in addresses), what="the corrections")
    assert "&lt;b&gt;đơn vị&lt;/b&gt;" in system.get(CORRECTIONS).text
    feed = system.get(addresses[2]).text
    assert feed.count("/correction/20260304T173000.000000Z") == 2
    editors.step(article["id"], "unpublish")
    wait(lambda: not any("Sửa lần hai" in system.get(one).text for one in addresses), what="they are gone with it")
    editors.step(article["id"], "publish")
    wait(lambda: system.get(addresses[2]).text == feed, what="the same feed again")
    return article


def static_pages(system: Any, editors: Any, wait: Any) -> str:
    """Delete a page to which a menu and a page lead, and make another at its address; return a gone one."""

    def publish(title: str, html: str, **fields: Any) -> dict[str, Any]:
        sent = {"site": "haihau", "title": title, "body": html, **fields}
        page = dict(call(editors, "POST", "/pages", sent).json())
        call(editors, "POST", f"/pages/{page['id']}/publish", {}, if_match="*")
        return page

    first, second = publish("Thủ tục cấp đổi", "<p>Cũ.</p>"), publish("Thủ tục sẽ xóa", "<p>Xóa.</p>")
    address, gone = "/trang/thu-tuc-cap-doi.html", "/trang/thu-tuc-se-xoa.html"
    leading = publish("Danh mục thủ tục", f'<p><a href="{gone}">Thủ tục</a></p>')
    items = [{"kind": "page", "target": one["id"]} for one in (first, second, leading)]
    call(editors, "PUT", f"/menus/footer{SITE}", {"items": items}, if_match="*")
    wait(lambda: f'href="{gone}"' in system.get("/so-do-site").text, what="the entry of the menu")
    call(editors, "DELETE", f"/pages/{second['id']}", status=409, if_match="*")
    for page in (first, second):
        call(editors, "POST", f"/pages/{page['id']}/unpublish", {})
        call(editors, "DELETE", f"/pages/{page['id']}", if_match="*")
        call(editors, "DELETE", f"/pages/{page['id']}", status=404, if_match="*")
    wait(lambda: system.get(gone).status == 410, what="the address is gone")
    assert f'href="{gone}"' not in system.get("/so-do-site").text
    listed = call(editors, "GET", f"/menus/footer{SITE}").json()
    assert len(listed["warnings"]) == 2
    again = publish("Thủ tục cấp đổi", "<p>Mới.</p>")
    wait(lambda: "Mới." in system.get(address).text, what="another page at the address")
    call(editors, "PATCH", f"/pages/{again['id']}", {"slug": "cap-doi"}, if_match="*")
    call(editors, "POST", f"/pages/{again['id']}/publish", {}, if_match="*")
    wait(lambda: system.get(address).headers.get("location") == "/trang/cap-doi.html", what="its former address")
    return gone


def wait_while(end: datetime, condition: Callable[[], bool]) -> bool:
    """Poll until a condition is true; return whether that was before the end."""
    while datetime.now(UTC) < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def banners_and_authors(system: Any, editors: Any, wait: Any, article: dict[str, Any]) -> None:
    """A banner and a menu entry end by themselves; an author's page follows renames and is removed."""
    image = {"media": editors.image((9, 9, 200))["media"], "alt": "Ngày hội non sông"}
    for lead in leads(5):
        end = datetime.now(UTC) + lead
        item = {"place": "foot", "image": image, "url": "https://cong.example?a=b", "until": end.isoformat()}
        call(editors, "PUT", f"/banners{SITE}", {"items": [item]}, if_match="*")
        shown = wait_while(end, lambda: "Ngày hội non sông" in system.get(path_of(article)).text)
        if shown:
            break
    author = call(editors, "POST", "/authors", {"site": "haihau", "name": "Vũ Thị Hạnh Kiểm", "bio": "Một\nHai"}).json()
    version = editors.version(article["id"])
    sent = {"authors": [{"name": "Vu Thi Hanh Kiem"}], "version": version, "carry_over": True}
    call(editors, "PATCH", f"/articles/{article['id']}/live", sent)
    feed = f"/tac-gia/{author['slug']}/rss.xml"
    wait(lambda: article["slug"] in system.get(feed).text, what="the author's feed")
    renamed = {"name": "Vũ Hạnh Kiểm"}
    call(editors, "PATCH", f"/authors/{author['slug']}{SITE}", renamed, if_match="*")
    moved = "/tac-gia/vu-hanh-kiem/rss.xml"
    wait(lambda: system.get(feed).headers.get("location") == moved, what="the former address of the feed")
    assert "Vũ Hạnh Kiểm" in system.get(path_of(article)).text
    wait(lambda: datetime.now(UTC) > end, what="the end of the banner")
    assert "Ngày hội non sông" not in system.get(path_of(article)).text


def test_editorial_kinds_are_the_same_live_rebuilt_and_exported(
    system: Any, editors: Any, wait: Any, restored: None, tmp_path: Path
) -> None:
    """Each kind follows its articles and times; a rebuild gives the same bytes, and an export the same pages."""
    article = cards(system, editors, wait)
    corrected = corrections(system, editors, wait)
    gone = static_pages(system, editors, wait)
    banners_and_authors(system, editors, wait, corrected)
    addresses = [path_of(article), path_of(corrected), CORRECTIONS, f"{CORRECTIONS}atom.xml", "/so-do-site"]
    addresses += ["/trang/cap-doi.html", "/trang/danh-muc-thu-tuc.html", "/tac-gia/vu-hanh-kiem/", "/sitemap-pages.xml"]
    before = {address: system.get(address) for address in addresses}
    assert {address: got.status for address, got in before.items()} == dict.fromkeys(addresses, 200)
    said = run(system, "rebuild", "--compare")
    assert "0 of them different from the live ones" in said
    assert {address: system.get(address).body for address in addresses} == {a: got.body for a, got in before.items()}
    assert system.get(gone).status == 410
    assert "Tin đã rút" not in system.get(f"/tim-kiem?q={quote('Tin đã rút')}").text.split("</form>")[-1]
    folder = tmp_path / "copy"
    export(system, folder)
    copied = pages_of(folder)
    for address in addresses:
        assert copied[address].read_bytes().replace(b"\n", b"") != b"", address
    assert gone in (folder / "Caddyfile").read_text()
    saved = (folder / f"ban-luu{path_of(article)}").read_text()
    assert "Kè biển Thịnh Long" in saved
    assert "Tin đã rút" not in saved
