"""The editor API over HTTP with real processes: from the draft to the page."""

import concurrent.futures
import time
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from services.render.pages.preview import without_banner, without_tracker
from tests.conftest import wait_for
from tests.leads import leads
from tests.speed import assert_takes_at_most


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_draft_is_live_once_published(system: Any, editors: Any) -> None:
    """A draft is not public; submitted, approved and published it is live, and the URL serves that version."""
    draft = editors.create("Chợ phiên mở lại", lead="Sáng 4/3.", tags=["chợ"], source={"name": "Báo Mẫu"})
    assert (draft["state"], draft["version"], draft["url"]) == ("draft", 1, None)
    for path in (
        f"/api/articles/{draft['id']}",
        f"/api/articles/{draft['id']}/publication",
        f"/{draft['slug']}-0.html",
    ):
        assert system.get(path).status == 404
    for path in ("/", "/api/articles?site=haihau"):
        assert draft["title"] not in system.get(path).text
    assert editors.publication(draft["id"])["status"] == "not_published"
    published = editors.publish(draft["id"])
    status = editors.publication(draft["id"], version=published["version"])
    assert (status["status"], status["live_version"], status["url"]) == ("live", 4, published["url"])
    page = system.get(path_of(status["url"])).text
    assert 'presstally:version" content="4"' in page
    assert "Theo Báo Mẫu" in page
    assert system.get(f"/api/articles/{draft['id']}").json()["version"] == 4


def test_write_token_cannot_publish(system: Any, editors: Any) -> None:
    """Without a token nothing is written; a write token can neither approve nor publish nor withdraw."""
    draft = editors.create("Bài của phóng viên")
    assert system.request("POST", "/api/articles", b"{}", content_type="application/json").status == 401
    for name in ("approve", "refuse", "publish", "schedule", "unpublish", "archive", "kill"):
        answer = editors.call("POST", f"/articles/{draft['id']}/{name}", {"reason": "x"})
        assert (answer.status, answer.json()["missing_scope"]) == (403, "publish"), name
    assert editors.call("POST", "/articles", {}, scope="read").status == 403
    elsewhere = editors.call("PATCH", f"/articles/{draft['id']}", {"version": 1}, "write", "giao-thuy")
    assert (elsewhere.status, elsewhere.json()["detail"]) == (404, f"Article {draft['id']!r} not found.")
    assert editors.call("GET", "/audit", scope="publish").status == 403
    assert editors.call("GET", f"/articles/{draft['id']}", scope="events").status == 403


def test_separate_approver_own_version_cannot_be_approved(editors: Any) -> None:
    """With separate_approver the author of a version cannot approve it; another editor can."""
    given = {"site": "giao-thuy", "section": "tin-tuc", "title": "Bài tự duyệt", "body": "<p>x</p>"}
    article = editors.call("POST", "/articles", given, "publish", "giao-thuy").json()["id"]
    assert editors.call("POST", f"/articles/{article}/submit", None, "publish", "giao-thuy").status == 200
    own = editors.call("POST", f"/articles/{article}/approve", {"version": 2}, "publish", "giao-thuy")
    assert (own.status, "another editor" in own.json()["detail"]) == (403, True)
    assert editors.step(article, "approve")["state"] == "approved"
    own = editors.call("POST", f"/articles/{article}/publish", {"version": 3}, "publish", "giao-thuy")
    assert (own.status, "another editor" in own.json()["detail"]) == (403, True)


def test_refuse_needs_reason_and_returns_article_to_draft(editors: Any) -> None:
    """Refusing requires a reason; the article is a draft again, and the revision has the reason."""
    article = editors.create("Bài bị trả")["id"]
    editors.step(article, "submit")
    assert editors.call("POST", f"/articles/{article}/refuse", {}, "publish").json()["errors"][0]["field"] == "reason"
    assert editors.step(article, "refuse", {"reason": "thiếu nguồn"})["state"] == "draft"
    last = editors.call("GET", f"/articles/{article}/revisions?limit=1", scope="read").json()["revisions"][0]
    assert (last["action"], last["who"], last["note"]) == ("refuse", "Người publish", "thiếu nguồn")
    again = editors.call("POST", f"/articles/{article}/approve", {"version": 3}, "publish")
    assert (again.status, again.json()["possible_from"]) == (409, ["in_review"])


def test_admin_publishes_draft_directly(editors: Any) -> None:
    """An administrator may publish a draft directly."""
    article = editors.create("Tin khẩn")["id"]
    assert editors.call("POST", f"/articles/{article}/publish", None, "admin").status == 428
    assert editors.call("POST", f"/articles/{article}/publish", {"version": 1}, "admin").json()["state"] == "published"


def test_edit_without_current_version_is_rejected(editors: Any) -> None:
    """An edit names its version: without one it is 428, of an old one 412 with the current version."""
    draft = editors.create("Bài hai người sửa")
    path = f"/articles/{draft['id']}"
    assert editors.call("PATCH", path, {"title": "Một"}).status == 428
    first = editors.call("PATCH", path, {"title": "Một"}, if_match='"1"')
    assert (first.status, first.headers["etag"]) == (200, '"2"')
    for answer in (
        editors.call("PATCH", path, {"title": "Hai"}, if_match='"1"'),
        editors.call("PUT", path, {"title": "Hai", "section": "tin-tuc", "version": 1}),
        editors.call("POST", f"{path}/submit", {"version": 1}),
    ):
        assert (answer.status, answer.json()["version"], answer.headers["etag"]) == (412, 2, '"2"')
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        tries = list(pool.map(lambda n: editors.call("PATCH", path, {"title": f"Bản {n}", "version": 2}), range(8)))
    assert sorted(one.status for one in tries) == [200, *[412] * 7]
    assert editors.call("GET", path).json()["version"] == 3


def test_idempotency_key_repeated_post_takes_effect_once(editors: Any) -> None:
    """The same Idempotency-Key gives the same response, also concurrently; with another body it is 422."""
    body = {"site": "haihau", "section": "tin-tuc", "title": "Gửi hai lần", "body": "<p>x</p>"}
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        sent = [pool.submit(editors.call, "POST", "/articles", body, idempotency_key="khoa-1") for _ in range(6)]
        answers = [one.result() for one in sent]
    assert {one.status for one in answers} == {201}
    assert len({one.body for one in answers}) == 1
    assert sum("idempotent-replayed" in one.headers for one in answers) == 5
    other = editors.call("POST", "/articles", {**body, "title": "Khác"}, idempotency_key="khoa-1")
    assert other.status == 422
    article = answers[0].json()["id"]
    steps = [editors.call("POST", f"/articles/{article}/submit", idempotency_key="khoa-2") for _ in range(2)]
    assert [one.json()["version"] for one in steps] == [2, 2]
    assert editors.call("POST", "/articles", body, idempotency_key="x" * 256).status == 422


def test_external_id_is_unique_per_source(editors: Any) -> None:
    """A known external ID of a source is rejected with its article; another source may have it too."""
    first = editors.create("Bài ngoài", source_system="cms-cu", external_id="42")
    again = {"site": "haihau", "section": "tin-tuc", "title": "x", "source_system": "cms-cu", "external_id": "42"}
    answer = editors.call("POST", "/articles", again)
    assert (answer.status, answer.json()["article"]) == (409, first["id"])
    editors.create("Bài ngoài", source_system="cms-khac", external_id="42")
    found = editors.call("GET", "/articles?source_system=cms-cu&external_id=42", scope="read").json()["articles"]
    assert [one["id"] for one in found] == [first["id"]]


def test_edit_of_published_article_is_live_only_when_published(system: Any, editors: Any) -> None:
    """Edits of a public article become public when they are published; then the old URL redirects."""
    draft = editors.create("Bản đầu tiên")
    before = editors.publish(draft["id"])
    editors.publication(draft["id"])
    edited = editors.call("PATCH", f"/articles/{draft['id']}", {"version": before["version"], "title": "Bản thứ hai"})
    assert (edited.json()["state"], edited.json()["live_version"]) == ("draft", before["version"])
    assert system.get(f"/api/articles/{draft['id']}").json()["title"] == "Bản đầu tiên"
    assert editors.publication(draft["id"], version=edited.json()["version"])["status"] == "not_published"
    assert "Bản đầu tiên" in system.get(path_of(before["url"])).text
    after = editors.publish(draft["id"])
    editors.publication(draft["id"], version=after["version"])
    moved = system.get(path_of(before["url"]))
    assert (moved.status, moved.headers["location"]) == (301, path_of(after["url"]))


def test_unpublished_article_can_return_and_killed_cannot(system: Any, editors: Any) -> None:
    """Unpublished is 404 and can be published again; killed, with its reason, is 410 permanently."""
    article = editors.create("Bài rút rồi trả")["id"]
    url = editors.publish(article)["url"]
    assert editors.call("POST", f"/articles/{article}/kill", scope="publish").json()["errors"][0]["field"] == "reason"
    for name, status in (("unpublish", 404), ("publish", 200), ("kill", 410)):
        editors.step(article, name, {"reason": "sai sự thật"})
        assert editors.publication(article)["status"] == ("live" if status == 200 else "withdrawn")
        assert system.get(path_of(url)).status == status, name
    assert system.get(f"/api/articles/{article}.ninjs").status == 410
    revisions = editors.call("GET", f"/articles/{article}/revisions", scope="read").json()["revisions"]
    assert (revisions[0]["who"], revisions[0]["note"]) == ("Người publish", "sai sự thật")


def test_scheduled_article_is_live_within_two_seconds(system: Any, editors: Any) -> None:
    """A scheduled article is live within 2 s of its time, hidden before it, and withdrawn after its end."""

    def delay() -> float:
        for lead in leads(1.5):
            begins = datetime.now(UTC) + lead
            ends = begins + 2 * lead
            draft = editors.create("Bài hẹn giờ", embargo_until=begins.isoformat(), unpublish_at=ends.isoformat())
            editors.step(draft["id"], "submit")
            editors.step(draft["id"], "approve")
            scheduled = editors.step(draft["id"], "publish")
            path = f"/{draft['slug']}-{draft['number']}.html"
            early = system.get(path).status
            if datetime.now(UTC) < begins:
                break
        assert (scheduled["state"], scheduled["url"], early) == ("scheduled", None, 404)
        wait_for(lambda: system.get(path).status == 200 or datetime.now(UTC) > ends)
        shown = datetime.now(UTC)
        wait_for(lambda: system.get(path).status == 404)
        gone = datetime.now(UTC)
        assert shown >= begins
        assert gone >= ends
        return max(shown - begins, gone - ends).total_seconds()

    assert_takes_at_most(2, delay)


def test_versions_are_read_compared_and_restored(editors: Any) -> None:
    """Any version can be read, compared with another, and restored without losing those between."""
    article = editors.create("Nguyên bản")["id"]
    path = f"/articles/{article}"
    editors.call("PATCH", path, {"version": 1, "title": "Sửa", "body": "<p>Khác.</p>", "note": "sửa lỗi"})
    found = editors.call("GET", f"{path}/diff?from=1&to=2").json()
    assert [one["field"] for one in found["fields"]] == ["title", "slug"]
    assert [line[0] for line in found["body"]] == ["-", "+", "@", "-", "+"]
    restored = editors.call("POST", f"{path}/restore", {"version": 1}).json()
    assert (restored["version"], restored["title"], restored["state"]) == (3, "Nguyên bản", "draft")
    assert editors.call("GET", f"{path}/revisions/2").json()["title"] == "Sửa"
    assert editors.call("POST", f"{path}/restore", {"version": 9}).status == 404
    pages = [editors.call("GET", f"{path}/revisions?limit=2").json()]
    pages.append(editors.call("GET", f"{path}/revisions?limit=2&cursor={pages[0]['next']}").json())
    assert [one["version"] for page in pages for one in page["revisions"]] == [3, 2, 1]
    assert pages[1]["revisions"][0]["note"] == "" or pages[0]["revisions"][1]["note"] == "sửa lỗi"
    audit = editors.call("GET", "/audit?site=haihau&action=restore&limit=1", scope="admin").json()["entries"]
    assert (audit[0]["article"], audit[0]["action"], audit[0]["who"]) == (article, "restore", "Người write")


def test_list_articles_is_filtered_and_paged(system: Any, editors: Any) -> None:
    """Pages list all articles once, newest first, and each filter returns what it names."""
    created = [
        editors.create(f"Đợt {n}", tags=["lọc"], authors=[{"name": "Lê Lọc"}], section="thong-bao")["id"]
        for n in range(5)
    ]
    found, cursor = [], ""
    for _ in range(3):
        page = editors.call("GET", f"/articles?site=haihau&tag=l%E1%BB%8Dc&limit=2{cursor}", scope="read").json()
        found += [one["id"] for one in page["articles"]]
        cursor = f"&cursor={page['next']}"
    assert found == created[::-1]
    for query in ("author=L%C3%AA%20L%E1%BB%8Dc", "q=%C4%90%E1%BB%A2T", "section=thong-bao&state=draft"):
        ids = [
            one["id"] for one in editors.call("GET", f"/articles?{query}&limit=100", scope="read").json()["articles"]
        ]
        assert set(created) <= set(ids), query
    assert editors.call("GET", "/articles?state=killed&tag=l%E1%BB%8Dc", scope="read").json()["articles"] == []
    assert system.get("/api/articles?tag=l%E1%BB%8Dc").json()["articles"] == []
    for query in ("cursor=x", "limit=0", "limit=x", "state=x", "modified_since=x", "nothing=1", "q=%00"):
        assert editors.call("GET", f"/articles?{query}", scope="read").status == 422, query


def test_ninjs_and_jsonld_exports_of_public_article(editors: Any, system: Any) -> None:
    """Ninjs and schema.org exports are complete, readable without a token when public, and hidden otherwise."""
    url = editors.image()["url"]
    fields = {
        "authors": [{"name": "Trần Nam"}],
        "published_at": "2026-03-04T08:00:00+07:00",
        "body": f'<p>Một <b>hai</b></p><figure><img src="{url}" alt="Ảnh"><figcaption>Chú</figcaption></figure>',
    }
    article = editors.create("Bài cho nơi khác", **fields)["id"]
    for kind in ("ninjs", "jsonld"):
        assert system.get(f"/api/articles/{article}.{kind}").status == 404
    published = editors.publish(article)
    ninjs = system.get(f"/api/articles/{article}.ninjs").json()
    assert (ninjs["pubStatus"], ninjs["by"], ninjs["version"]) == ("usable", "Trần Nam", str(published["version"]))
    assert ninjs["uri"] == f"tag:haihau.presstally.example,2026:article/{article}"
    assert ninjs["associations"][0]["renditions"][0]["href"] == system.url + url
    assert ninjs["bodies"][0]["value"].startswith("<p>Một <strong>hai</strong></p>")
    ld = system.get(f"/api/articles/{article}.jsonld")
    assert ld.headers["content-type"] == "application/ld+json"
    assert (ld.json()["@type"], ld.json()["datePublished"]) == ("NewsArticle", "2026-03-04T08:00:00+07:00")
    assert (ld.json()["url"], ld.json()["@id"]) == (published["url"], ninjs["uri"])


def test_body_accepts_html_markdown_and_blocks(editors: Any) -> None:
    """A body may be HTML, Markdown or blocks: each is stored as blocks, composed and sanitised."""
    markdown = editors.create("Bằng Markdown", body="## Mục\n\nBa\u0323n **đọc**", body_format="markdown")
    assert [block["type"] for block in markdown["body"]] == ["heading", "paragraph"]
    assert markdown["body"][1]["html"] == "Bạn <strong>đọc</strong>"
    block = {"type": "paragraph", "html": "Ba\u0323n <script>alert(1)</script><b onclick=x>đọc</b>"}
    assert editors.create("Bằng khối", body=[block])["body"][0]["html"] == "Bạn <strong>đọc</strong>"
    dropped = editors.create("Bằng HTML", body="<p>x</p><video src=x></video>")
    assert "video" in dropped["warnings"][0]["fault"]


def test_replace_with_read_article_changes_nothing(editors: Any) -> None:
    """An article that is read and replaced by itself stays the same, with every kind of block."""
    copy = {"url": "/media/a-320.jpg", "width": 320, "height": 200, "type": "image/jpeg"}
    image = {"url": "/media/a.jpg", "alt": "Ảnh", "width": 640, "height": 400, "renditions": [copy]}
    body = [
        {"type": "paragraph", "html": 'Một &lt;b&gt; <a href="https://a.vn/?x=1&amp;y=2">hai</a>'},
        {"type": "heading", "html": "Mục", "level": 3},
        {"type": "figure", "caption": "Chú", "image": {**image, "focus": {"x": 0.2, "y": 0.8}}, "credit": "T.N."},
        {"type": "list", "items": [{"html": "một", "items": [{"html": "1.1"}], "ordered": True}]},
        {"type": "quote", "paragraphs": ["Lời"], "cite": "Ai đó"},
        {"type": "table", "rows": [[{"html": "x", "header": True, "colspan": 2}]], "caption": "Bảng"},
        {"type": "embed", "url": "https://youtu.be/dQw4w9WgXcQ", "title": "Phim"},
        {"type": "file", "url": "/media/a.pdf", "name": "Nghị quyết.pdf"},
    ]
    fields = {
        "lead_image": {"caption": "Đầu", "image": image},
        "authors": ["Trần Nam"],
        "corrections": [{"text": "sửa tên", "at": "2026-01-01T00:00:00Z"}],
        "rights": {"holder": "UBND"},
        "seo": {"title": "x"},
        "source": {"name": "Báo", "url": "https://bao.vn/"},
        "external_id": "di-ve",
    }
    made = editors.create("Đi rồi về", body=body, **fields)
    path = f"/articles/{made['id']}"
    answer = editors.call("PUT", path, editors.call("GET", path).json())
    assert answer.status == 200, answer.text
    changes = {"version": 2, "modified_at": answer.json()["modified_at"]}
    assert answer.json() == {**made, **changes}
    assert editors.call("PUT", path, made).status == 412


@pytest.mark.parametrize("wait", ["x", "-1s", "31s", "1e9", ""])
def test_publication_wait_out_of_range_is_422(editors: Any, wait: str) -> None:
    """The time to wait is a duration of at most 30 s."""
    article = editors.create("Bài chờ")["id"]
    assert editors.call("GET", f"/articles/{article}/publication?wait={wait}").status == 422


async def test_publication_failed_render_is_reported_with_reason(system: Any, editors: Any, wait: Any) -> None:
    """A version is rendering until the portal reports it; a failure reaches the editor with the reason."""
    article = editors.create("Bài hỏng")["id"]
    published = editors.publish(article)
    editors.publication(article)
    connection = await asyncpg.connect(system.database_url)
    try:  # a site that the builder does not know, and so cannot render
        value = await connection.fetchval("SELECT live FROM ingest.articles WHERE id = $1", article)
        value = value.replace('"haihau"', '"khong-co"').replace(
            f'"version": {published["version"]}', f'"version": {published["version"] + 1}'
        )
        await connection.execute(
            "INSERT INTO ingest.outbox (topic, key, value) VALUES ('articles', $1, $2)", article, value.encode()
        )
    finally:
        await connection.close()
    deadline = time.monotonic() + 10
    while (status := editors.publication(article, wait="0s"))["status"] != "failed":
        assert time.monotonic() < deadline, status
    assert "unknown-site" in status["reason"]
    wait(lambda: editors.call("GET", f"/articles/{article}", scope="read").status == 404, what="its recovery")


def test_preview_shows_a_draft_through_the_gateway_until_it_is_revoked(system: Any, editors: Any) -> None:
    """The link shows the version in the theme, uncached; published, the page has its bytes; revoked, it is the 404."""
    article = editors.create("Sắp có chợ đêm", lead="Sapo.")["id"]
    link = editors.call("POST", f"/articles/{article}/previews", {}, "write").json()
    path = path_of(link["url"])
    shown = system.get(path)
    assert (shown.status, shown.headers["cache-control"]) == (200, "no-store")
    assert "<h1>Sắp có chợ đêm</h1>" in shown.text
    assert system.get("/previews").status == 404
    published = editors.publish(article)
    status = editors.publication(article, version=published["version"])
    page, shown = system.get(path_of(status["url"])).text, system.get(path)
    assert without_banner(shown.text) == without_tracker(page)
    missing = system.get("/khong-co-trang-nay.html")
    assert editors.call("DELETE", f"/articles/{article}/previews/{link['id']}", scope="write").status == 204
    for gone in (path, path[:-1], f"{path}x"):
        answer = system.get(gone)
        assert (answer.status, answer.text, answer.headers["cache-control"]) == (404, missing.text, "no-store")
