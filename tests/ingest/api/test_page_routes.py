"""`/api/pages`: a working copy and a public one, slugs, versions, and what a page may not have."""

from typing import Any

import asyncpg
import msgspec
import pytest

from shared.site_structure import StaticPage


async def create(api: Any, **fields: Any) -> Any:
    return await api.call("POST", "/pages", {"title": "Giới thiệu", **fields}, "publish")


async def sent(pool: asyncpg.Pool) -> list[StaticPage]:
    rows = await pool.fetch("SELECT value FROM ingest.outbox WHERE key LIKE '%/page/%' ORDER BY id")
    return [msgspec.json.decode(row["value"], type=StaticPage) for row in rows]


async def test_changes_wait_until_the_page_is_published(api: Any, pool: asyncpg.Pool) -> None:
    """Readers get what was published; a former slug redirects; drafts never travel."""
    made = await create(api, body="<p>Về <b>chúng tôi</b><script>x</script></p>")
    assert made.status == 201, made.body
    page = made.json()
    assert (page["slug"], page["state"], page["url"]) == ("gioi-thieu", "draft", None)
    assert page["body"] == [{"type": "paragraph", "html": "Về <strong>chúng tôi</strong>"}]
    assert await sent(pool) == []
    path = f"/pages/{page['id']}"
    live = await api.call("POST", f"{path}/publish", {}, "publish", if_match=made.headers["etag"])
    assert live.status == 200, live.body
    assert live.json()["url"] == "https://haihau.example/trang/gioi-thieu.html"
    edited = await api.call("PATCH", path, {"slug": "ve-chung-toi", "title": "Về"}, "publish", if_match="*")
    assert (edited.json()["has_changes"], edited.json()["url"]) == (True, live.json()["url"])
    assert len(await sent(pool)) == 1
    stale = await api.call("POST", f"{path}/publish", {}, "publish", if_match=live.headers["etag"])
    assert stale.status == 412
    again = await api.call("POST", f"{path}/publish", {}, "publish", if_match=edited.headers["etag"])
    assert again.json()["old_slugs"] == ["gioi-thieu"]
    gone = await api.call("POST", f"{path}/unpublish", {}, "publish")
    assert (gone.json()["state"], gone.json()["url"]) == ("withdrawn", None)
    assert (await api.call("POST", f"{path}/unpublish", {}, "publish")).status == 409
    back = await api.call("POST", f"{path}/publish", {}, "publish", if_match=gone.headers["etag"])
    assert back.json()["state"] == "published"
    assert [(one.state, one.slug) for one in await sent(pool)] == [
        ("published", "gioi-thieu"),
        ("published", "ve-chung-toi"),
        ("withdrawn", "ve-chung-toi"),
        ("published", "ve-chung-toi"),
    ]
    versions = [one.version for one in await sent(pool)]
    assert versions == sorted(set(versions))
    listed = (await api.call("GET", "/pages", scope="read")).json()["pages"]
    assert [(one["title"], one["has_changes"]) for one in listed] == [("Về", False)]


async def test_slug_of_another_page_is_refused(api: Any) -> None:
    """Two pages cannot have one address; a repeated request with its key makes one page."""
    first = await api.call("POST", "/pages", {"title": "Liên hệ"}, "publish", idempotency_key="k")
    again = await api.call("POST", "/pages", {"title": "Liên hệ"}, "publish", idempotency_key="k")
    assert first.json()["id"] == again.json()["id"]
    assert (await create(api, title="LIEN HE")).status == 409
    other = await create(api)
    moved = await api.call("PATCH", f"/pages/{other.json()['id']}", {"slug": "lien-he"}, "publish", if_match="*")
    assert moved.status == 409


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": "x" * 256},
        {"title": "a\u202e"},
        {"slug": "Giới"},
        {"slug": "a/b"},
        {"slug": "a--b"},
        {"slug": ""},
        {"slug": "x" * 101},
        {"description": "x" * 501},
        {"body": [{"type": "script"}]},
        {"body": 5},
        {"body_format": "docx"},
        {"body": [{"type": "figure", "image": {"media": "0" * 64}}]},
        {"body": [{"type": "figure", "image": {"url": "/media/khong-co.jpg"}}]},
        {"state": "published"},
        {"site": 5},
    ],
)
async def test_hostile_pages_are_refused(api: Any, fields: dict[str, Any]) -> None:
    """The same limits as for articles; images are in the media library."""
    assert (await create(api, **fields)).status == 422


async def test_page_of_another_site_is_not_found(tenants: Any) -> None:
    """An editor of one site learns nothing of the pages of another one."""
    made = await tenants.call("POST", "/pages", {"site": "giao-thuy", "title": "Kín"}, "admin")
    path = f"/pages/{made.json()['id']}"
    assert (await tenants.call("GET", path, scope="read", at="haihau")).status == 404
    assert (await tenants.call("PATCH", path, {"title": "x"}, "publish", at="haihau", if_match="*")).status == 404
    assert (await tenants.call("GET", "/pages/khong-co", scope="read")).status == 404


async def test_two_pages_are_never_public_at_one_address(api: Any) -> None:
    """The slug that readers find a page at is its own until it is public at another one, or withdrawn."""
    one = (await create(api, title="Giới thiệu", slug="gioi-thieu")).json()
    path = f"/pages/{one['id']}"
    assert (await api.call("POST", f"{path}/publish", None, "publish", if_match="*")).status == 200
    assert (await api.call("PATCH", path, {"slug": "ve-chung-toi"}, "publish", if_match="*")).status == 200
    refused = await create(api, title="Trang khác", slug="gioi-thieu")
    assert (refused.status, refused.json()["page"]) == (409, one["id"])
    assert (await api.call("POST", f"{path}/publish", None, "publish", if_match="*")).status == 200
    other = await create(api, title="Trang khác", slug="gioi-thieu")
    assert other.status == 201
    back = await api.call("PATCH", path, {"slug": "gioi-thieu"}, "publish", if_match="*")
    assert back.status == 409


async def test_page_that_is_not_public_is_deleted_and_frees_its_slug(api: Any, pool: asyncpg.Pool) -> None:
    """A page that was public leaves a message without its text; a draft leaves nothing; the audit log has both."""
    draft = (await create(api, title="Nháp", body="<p>x</p>")).json()
    live = (await create(api, body="<p>Kín</p>")).json()
    path = f"/pages/{live['id']}"
    await api.call("POST", f"{path}/publish", {}, "publish", if_match="*")
    refused = await api.call("DELETE", path, None, "publish", if_match="*")
    assert (refused.status, refused.json()["code"]) == (409, "still_public")
    gone = await api.call("POST", f"{path}/unpublish", {}, "publish")
    assert (await api.call("DELETE", path, None, "publish")).status == 428
    assert (await api.call("DELETE", path, None, "publish", if_match='"1"')).status == 412
    assert (await api.call("DELETE", path, None, "publish", if_match=gone.headers["etag"])).status == 204
    assert (await api.call("DELETE", f"/pages/{draft['id']}", None, "publish", if_match="*")).status == 204
    for method, at in (("GET", path), ("DELETE", path), ("POST", f"{path}/publish"), ("GET", f"/pages/{draft['id']}")):
        assert (await api.call(method, at, None, "publish", if_match="*")).status == 404, at
    assert (await api.call("GET", "/pages", scope="read")).json()["pages"] == []
    last = (await sent(pool))[-1]
    assert (last.id, last.is_deleted, last.state, last.body) == (live["id"], True, "withdrawn", [])
    assert [one.id for one in await sent(pool)] == [live["id"]] * 3
    audit = (await api.call("GET", "/audit?action=delete", scope="admin")).json()
    assert sorted(one["details"]["title"] for one in audit["entries"]) == ["Giới thiệu", "Nháp"]
    assert (await create(api)).json()["slug"] == "gioi-thieu"
