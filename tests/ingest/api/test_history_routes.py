"""Revisions, differences, restoring and the audit log."""

from typing import Any

from services.ingest.api.history_routes import diff_articles
from services.ingest.auth.actors import Actor
from services.ingest.auth.audit import record
from shared.articles import Paragraph


async def with_versions(api: Any, titles: list[str]) -> str:
    """Return the path of an article with a version for each title."""
    article = await api.create(titles[0])
    path = f"/articles/{article['id']}"
    for version, title in enumerate(titles[1:], 1):
        sent = {"title": title, "version": version, "note": f"lần {version}"}
        assert (await api.call("PATCH", path, sent)).status == 200
    return path


def test_diff_articles_has_changed_fields_and_blocks_only(new_article: Any) -> None:
    """Fields that are equal are left out, the body is a unified diff of blocks, and equal versions have no diff."""
    before = new_article(version=1, body=[Paragraph("một"), Paragraph("hai")])
    after = new_article(version=2, title="Mới", body=[Paragraph("một"), Paragraph("ba")])
    found = diff_articles(before, after)
    assert [(change.field, change.before, change.after) for change in found.fields] == [("title", "Tựa", "Mới")]
    assert found.body[:2] == ["--- version 1", "+++ version 2"]
    assert [line[0] for line in found.body[3:]] == [" ", "-", "+"]
    same = diff_articles(before, before)
    assert (same.fields, same.body) == ([], [])


async def test_list_revisions_is_newest_first_and_paged(api: Any) -> None:
    """Each change has a revision with who, what and why; the cursor continues after the last one."""
    path = await with_versions(api, ["a", "b", "c"])
    page = (await api.call("GET", f"{path}/revisions?limit=2", scope="read")).json()
    assert [(one["version"], one["action"], one["note"]) for one in page["revisions"]] == [
        (3, "edit", "lần 2"),
        (2, "edit", "lần 1"),
    ]
    rest = (await api.call("GET", f"{path}/revisions?limit=2&cursor={page['next']}", scope="read")).json()
    assert [(one["version"], one["who"]) for one in rest["revisions"]] == [(1, "Người write")]
    assert rest["next"] is None


async def test_get_revision_returns_that_version(api: Any) -> None:
    """A version is returned as it was; one that never was, or that Postgres cannot store, is 404."""
    path = await with_versions(api, ["a", "b"])
    assert (await api.call("GET", f"{path}/revisions/1", scope="read")).json()["title"] == "a"
    for version in (0, 3, -1, 2**31, 10**30):
        assert (await api.call("GET", f"{path}/revisions/{version}", scope="read")).status == 404, version
    diff = (await api.call("GET", f"{path}/diff?from=1&to=2", scope="read")).json()
    assert "title" in [change["field"] for change in diff["fields"]]


async def test_restore_is_a_new_version_with_the_old_content(api: Any) -> None:
    """A restore adds a version; those between stay, and its note names the version."""
    path = await with_versions(api, ["a", "b"])
    restored = await api.call("POST", f"{path}/restore", {"version": 1})
    assert (restored.status, restored.json()["version"], restored.json()["title"]) == (200, 3, "a")
    (newest, *_) = (await api.call("GET", f"{path}/revisions", scope="read")).json()["revisions"]
    assert (newest["action"], newest["note"]) == ("restore", "version 1 restored")
    assert (await api.call("POST", f"{path}/restore", {"version": 9})).status == 404
    assert (await api.call("POST", f"{path}/restore", {"version": 1}, if_match='"1"')).status == 412


async def test_audit_with_invalid_query_is_rejected(api: Any) -> None:
    """The audit log needs the scope admin, and its filters are checked."""
    cases: list[Any] = [
        ("", "publish", 403),
        ("?site=nowhere", "admin", 404),
        ("?who=%00", "admin", 422),
        ("?limit=0", "admin", 422),
    ]
    for query, scope, status in cases:
        assert (await api.call("GET", f"/audit{query}", scope=scope)).status == status


async def test_audit_is_filtered_by_who_and_action(api: Any) -> None:
    """Entries of all articles come newest first; filters select by actor and action."""
    await with_versions(api, ["a", "b"])
    await api.create("c")
    everything = (await api.call("GET", "/audit", scope="admin")).json()["entries"]
    assert [(one["title"], one["action"]) for one in everything] == [("c", "create"), ("b", "edit"), ("a", "create")]
    edits = (await api.call("GET", "/audit?action=edit", scope="admin")).json()["entries"]
    assert [one["version"] for one in edits] == [2]
    assert (await api.call("GET", "/audit?who=nobody", scope="admin")).json()["entries"] == []


async def test_audit_of_articles_and_other_objects_is_one_list(api: Any) -> None:
    """Entries of both tables come in one order and can be filtered by kind."""
    await api.create("a")
    async with api.context.pool.acquire() as connection:
        await record(connection, Actor("Lan", "12345678"), "lock", kind="person", id="p-1", details={"why": "left"})
        await record(connection, Actor("Lan"), "create", kind="section", id="tin", site="haihau")
    await api.create("b")
    pages: list[Any] = []
    cursor = ""
    for _ in range(5):
        page = (await api.call("GET", f"/audit?limit=1{cursor}", scope="admin")).json()
        pages += page["entries"]
        cursor = f"&cursor={page['next']}"
    assert [(one["kind"], one["action"]) for one in pages] == [
        ("article", "create"),
        ("section", "create"),
        ("person", "lock"),
        ("article", "create"),
    ]
    assert (pages[2]["object"], pages[2]["details"], "site" in pages[2]) == ("p-1", {"why": "left"}, False)
    of_site = (await api.call("GET", "/audit?site=haihau", scope="admin")).json()["entries"]
    assert [one["kind"] for one in of_site] == ["article", "section", "article"]
    people = (await api.call("GET", "/audit?kind=person", scope="admin")).json()["entries"]
    assert [one["who"] for one in people] == ["Lan"]
    restricted = (await api.call("GET", "/audit?kind=person", None, "admin", "haihau")).json()["entries"]
    assert restricted == []


async def killed(api: Any, *, with_draft: bool) -> str:
    """Return the path of a killed article that was public, and had an unfinished draft above."""
    article = await api.create("Tựa")
    path = f"/articles/{article['id']}"
    assert (await api.call("POST", f"{path}/publish", {"version": 1}, "admin")).status == 200
    if with_draft:
        assert (await api.call("PATCH", path, {"version": 2, "title": "CHƯA XONG"})).status == 200
    assert (await api.call("POST", f"{path}/kill", {"reason": "nhầm bài"}, "publish")).status == 200
    return path


async def test_restore_of_killed_article_by_an_administrator_makes_it_unpublished(api: Any) -> None:
    """A mistaken kill is undone: 410 becomes 404, the version rises, and what was unfinished is a draft again."""
    for with_draft in (False, True):
        path = await killed(api, with_draft=with_draft)
        assert (await api.call("GET", path, scope=None)).status == 410
        for scope in ("write", "publish"):
            assert (await api.call("POST", f"{path}/restore", {}, scope)).status == 403
        restored = await api.call("POST", f"{path}/restore", {"note": "gỡ nhầm"}, "admin")
        body = restored.json()
        assert (restored.status, body["live_state"], body["version"]) == (200, "unpublished", 4 + with_draft)
        assert (body["state"], body["title"]) == (("draft", "CHƯA XONG") if with_draft else ("unpublished", "Tựa"))
        assert (await api.call("GET", path, scope=None)).status == 404
        (newest, *_) = (await api.call("GET", f"{path}/revisions", scope="read")).json()["revisions"]
        assert (newest["action"], newest["note"], newest["is_told"]) == ("undo-kill", "gỡ nhầm", True)
        assert (await api.call("POST", f"{path}/restore", {}, "admin")).status == 422
        assert (await api.call("GET", "/audit?action=undo-kill", scope="admin")).json()["entries"]
    path = await killed(api, with_draft=False)
    both = await api.call("POST", f"{path}/restore", {"version": 1}, "admin")
    assert (both.json()["state"], both.json()["live_state"], both.json()["version"]) == ("draft", "unpublished", 5)


async def test_discarded_draft_is_404_stays_in_the_audit_and_can_come_back(api: Any) -> None:
    """Nothing shows it but the audit log, its former URL is free, and an administrator restores it."""
    article = await api.create("Nháp", old_urls=["/cu.htm"], external_id="7")
    path = f"/articles/{article['id']}"
    assert (await api.call("DELETE", path)).status == 428
    assert (await api.call("DELETE", path, if_match='"9"')).status == 412
    assert (await api.call("DELETE", path, scope="read", if_match='"1"')).status == 403
    gone = await api.call("DELETE", f"{path}?note=tr%C3%B9ng", if_match='"1"')
    assert (gone.status, gone.body) == (204, b"")
    for method, where, body in (
        ("GET", path, None),
        ("GET", f"{path}/revisions", None),
        ("GET", f"{path}/publication", None),
        ("GET", f"{path}.ninjs", None),
        ("PATCH", path, {"version": 2, "title": "x"}),
        ("POST", f"{path}/submit", {}),
        ("POST", f"{path}/restore", {"version": 1}),
    ):
        assert (await api.call(method, where, body, "publish")).status == 404, where
    assert (await api.call("DELETE", path, if_match='"2"')).status == 404
    assert (await api.call("GET", "/articles", scope="read")).json()["articles"] == []
    (entry, *_) = (await api.call("GET", "/audit?action=discard", scope="admin")).json()["entries"]
    assert (entry["article"], entry["note"], entry["who"]) == (article["id"], "trùng", "Người write")
    sent = {"site": "haihau", "section": "tin-tuc", "title": "Tựa", "external_id": "7"}
    refused = await api.call("POST", "/articles", sent)
    assert (refused.status, "was discarded" in refused.json()["detail"]) == (409, True)
    other = await api.create("Khác", old_urls=["/cu.htm"])
    assert (await api.call("POST", f"{path}/restore", {}, "admin")).status == 422
    released = {"version": 1, "old_urls": []}
    assert (await api.call("PATCH", f"/articles/{other['id']}", released)).status == 200
    restored = await api.call("POST", f"{path}/restore", {}, "admin")
    assert (restored.status, restored.json()["state"], restored.json()["version"]) == (200, "draft", 3)


async def test_revisions_with_if_none_match_are_304_until_a_change(api: Any) -> None:
    """The list has the article's version as its ETag, and one revision its own number."""
    path = await with_versions(api, ["a", "b"])
    page = await api.call("GET", f"{path}/revisions", scope="read")
    assert page.headers["etag"] == '"2"'
    for tag in ('"2"', 'W/"2"', '"1", "2"', '"2-gzip"', "*"):
        known = await api.call("GET", f"{path}/revisions", scope="read", if_none_match=tag)
        assert (known.status, known.body, known.headers["etag"]) == (304, b"", '"2"'), tag
    for tag in ('"1"', "2", "", '"22"', "x"):
        assert (await api.call("GET", f"{path}/revisions", scope="read", if_none_match=tag)).status == 200, tag
    one = await api.call("GET", f"{path}/revisions/1", scope="read", if_none_match='"1"')
    assert (one.status, one.body) == (304, b"")
    assert (await api.call("GET", f"{path}/revisions/9", scope="read", if_none_match='"9"')).status == 404


async def test_restored_text_has_the_date_of_its_publication(api: Any) -> None:
    """A restored text that differs from the live one is new when it is published; the same text keeps its date."""
    path = f"/articles/{(await api.create('Tựa đầu', tags=['chợ']))['id']}"

    async def read(copy: str) -> Any:
        return (await api.call("GET", f"{path}?copy={copy}", None, "read")).json()

    async def step(action: str, sent: dict[str, Any]) -> Any:
        version = (await read("head"))["version"]
        method = "PATCH" if action == "live" else "POST"
        done = await api.call(method, f"{path}/{action}", {"version": version, **sent}, "admin")
        assert done.status == 200, done.body
        return (await read("live"))["text_updated_at"]

    async def publish_restored(version: int) -> Any:
        restored = await api.call("POST", f"{path}/restore", {"version": version}, "admin")
        assert restored.status == 200, restored.body
        assert (await read("live"))["text_updated_at"] == dates[-1], "a draft is no text of readers"
        return await step("publish", {})

    dates = [await step("publish", {})]
    dates.append(await step("live", {"title": "Tựa hai"}))
    assert dates[1] > dates[0]
    dates.append(await publish_restored(1))
    assert dates[2] > dates[1]
    assert (await read("live"))["title"] == "Tựa đầu"
    assert await step("live", {"tags": ["bến cá"]}) == dates[2]
    assert await publish_restored(2) == dates[2], "the text of version 2 is that of version 1"
    await step("kill", {"reason": "sai"})
    assert (await api.call("POST", f"{path}/restore", {}, "admin")).status == 200
    assert await step("publish", {}) == dates[2], "a kill that is undone changes no text"
