"""Attacks over the borders of sites, and on what was approved."""

import io
import json
from typing import Any

import msgspec
from PIL import Image

from services.ingest.auth.tokens import create
from shared.articles import Article

LINE = {"external_id": "7", "title": "Bài nhập", "section": "tin-tuc", "body": "<p>x</p>"}
NEW = {"section": "tin-tuc", "title": "Bài", "body": "<p>x</p>"}


async def imported(api: Any, line: dict[str, Any], query: str, scope: str, at: str | None = None) -> dict[str, Any]:
    response = await api.call("POST", f"/imports?{query}", json.dumps(line).encode(), scope, at)
    assert response.status == 200, response.body
    return dict(json.loads(response.body))


async def live(api: Any, article: str) -> Article:
    return msgspec.json.decode(
        await api.context.pool.fetchval("SELECT live FROM ingest.articles WHERE id = $1", article), type=Article
    )


async def test_external_id_on_two_sites_is_two_articles(tenants: Any) -> None:
    """A token of one site never finds or changes what has the same source and ID on another (it published there)."""
    made = {}
    for site in ("haihau", "giao-thuy"):
        sent = {**NEW, "site": site, "source_system": "cms", "external_id": "7"}
        response = await tenants.call("POST", "/articles", sent, "write", site)
        assert response.status == 201, response.body
        made[site] = response.json()["id"]
        again = await tenants.call("POST", "/articles", sent, "write", site)
        assert (again.status, again.json()["article"]) == (409, made[site])
    assert made["haihau"] != made["giao-thuy"]


async def test_import_with_the_source_of_another_site_makes_an_own_article(tenants: Any) -> None:
    """A seed under another site's import namespace is not found by that site's import."""
    for source in ("ndjson:giao-thuy", "ndjson:haihau"):
        sent = {**NEW, "site": "haihau", "source_system": source, "external_id": "7"}
        assert (await tenants.call("POST", "/articles", sent, "write", "haihau")).status == 201
    other = await imported(tenants, LINE, "site=giao-thuy&publish=true", "admin", "giao-thuy")
    assert (other["status"], other["state"]) == ("created", "published")
    assert (await live(tenants, other["article"])).site == "giao-thuy"
    titles = await tenants.context.pool.fetch("SELECT title FROM ingest.articles WHERE site = 'haihau'")
    assert {row["title"] for row in titles} == {"Bài"}


async def test_who_imported_counts_as_author(tenants: Any) -> None:
    """With separate_approver nobody approves their own import, and the audit names their token."""
    mine = await imported(tenants, LINE, "site=giao-thuy", "publish", "giao-thuy")
    path = f"/articles/{mine['article']}"
    for name, version in (("submit", 1), ("approve", 2)):
        response = await tenants.call("POST", f"{path}/{name}", {"version": version}, "publish", "giao-thuy")
    assert (response.status, "another editor" in response.json()["detail"]) == (403, True)
    assert (await tenants.call("POST", f"{path}/approve", {"version": 2}, "publish")).status == 200
    token = (await tenants.token("publish", "giao-thuy"))[3:11]
    query = "SELECT token FROM ingest.revisions WHERE article = $1 AND action = 'import'"
    assert await tenants.context.pool.fetchval(query, mine["article"]) == token


async def test_publishing_import_publishes_nothing_that_a_writer_seeded(tenants: Any) -> None:
    """Fields that an import does not have were approved by nobody: they stay in the working version as a draft."""
    seed = {
        **NEW,
        "site": "haihau",
        "source_system": "ndjson:haihau",
        "external_id": "7",
        "slug": "gia-mao",
        "seo": {"canonical": "https://evil.example/"},
        "corrections": [{"text": "giả", "at": "2026-01-01T00:00:00Z"}],
        "pinned_until": "2100-01-01T00:00:00Z",
        "unpublish_at": "2100-01-01T00:00:00Z",
    }
    seeded = (await tenants.call("POST", "/articles", seed, "write", "haihau")).json()
    result = await imported(tenants, LINE, "site=haihau&publish=true", "admin", "haihau")
    assert (result["article"], result["state"], result["version"]) == (seeded["id"], "published", 2)
    public = await live(tenants, seeded["id"])
    assert (public.seo, public.corrections, public.pinned_until, public.unpublish_at) == (None, [], None, None)
    assert (public.title, public.slug, public.number) == ("Bài nhập", "bai-nhap", seeded["number"])
    head = (await tenants.call("GET", f"/articles/{seeded['id']}")).json()
    assert (head["state"], head["version"], head["seo"]["canonical"]) == ("draft", 3, "https://evil.example/")
    revisions = (await tenants.call("GET", f"/articles/{seeded['id']}/revisions")).json()["revisions"]
    assert [one["action"] for one in revisions] == ["keep-edits", "import", "create"]


async def test_publishing_import_keeps_unapproved_edits_of_a_public_article_as_a_draft(tenants: Any) -> None:
    """A writer's edit of a public article is not published by the next import, and is not lost."""
    first = await imported(tenants, {**LINE, "tags": ["chợ"]}, "site=haihau&publish=true", "admin", "haihau")
    edit = {"version": 1, "kicker": "CHƯA DUYỆT"}
    assert (await tenants.call("PATCH", f"/articles/{first['article']}", edit, "write", "haihau")).status == 200
    second = await imported(tenants, {**LINE, "title": "Bài mới"}, "site=haihau&publish=true", "admin", "haihau")
    public = await live(tenants, first["article"])
    assert (second["status"], public.title, public.kicker, public.version) == ("changed", "Bài mới", "", 3)
    head = (await tenants.call("GET", f"/articles/{first['article']}")).json()
    assert (head["title"], head["kicker"], head["state"], head["version"]) == ("Bài mới", "CHƯA DUYỆT", "draft", 4)


def png() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(content, "PNG")
    return content.getvalue()


async def test_image_belongs_to_the_site_that_uploaded_it(tenants: Any) -> None:
    """Another site neither attaches an image by its ID nor publishes it by its URL, until it uploads the file."""
    first = await tenants.call("POST", "/media", png(), "write", "giao-thuy", content_type="image/png")
    item = first.json()
    assert (first.status, item["site"]) == (201, "giao-thuy")
    figure = {"type": "figure", "caption": "Ảnh", "image": {"media": item["id"], "alt": "x"}}
    refused = await tenants.call("POST", "/articles", {**NEW, "site": "haihau", "body": [figure]}, "write", "haihau")
    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "body.0.image.media")
    figure["image"] = {"url": item["image"]["url"], "alt": "x"}
    draft = await tenants.call("POST", "/articles", {**NEW, "site": "haihau", "body": [figure]}, "write", "haihau")
    assert draft.json()["body"][0]["image"]["media"] is None
    path = f"/articles/{draft.json()['id']}/publish"
    assert (await tenants.call("POST", path, {"version": 1}, "admin", "haihau")).status == 422
    again = await tenants.call("POST", "/media", png(), "write", "haihau", content_type="image/png")
    assert (again.status, again.json()["id"], again.json()["site"]) == (201, item["id"], "haihau")
    assert (await tenants.call("POST", path, {"version": 1}, "admin", "haihau")).status == 200


async def test_focus_of_an_image_is_that_of_one_site(tenants: Any) -> None:
    """The same file on two sites has two focus points; a token of all sites names the site."""
    for site in ("haihau", "giao-thuy"):
        item = (await tenants.call("POST", f"/media?site={site}", png(), content_type="image/png")).json()
    path = f"/media/{item['id']}"
    assert (await tenants.call("PATCH", f"{path}?site=giao-thuy", {"focus": {"x": 0, "y": 1}})).status == 200
    assert (await tenants.call("GET", path, None, "read", "giao-thuy")).json()["image"]["focus"] == {"x": 0.0, "y": 1.0}
    assert (await tenants.call("GET", path, None, "read", "haihau")).json()["image"]["focus"] is None


async def test_approval_and_publication_require_the_version_that_was_read(tenants: Any) -> None:
    """Without a version, or with *, it is 428; after a swap it is 412 with who made the current version, and when."""
    article = await tenants.create("Bài sạch")
    path = f"/articles/{article['id']}"
    assert (await tenants.call("POST", f"{path}/submit", {})).status == 200
    for name in ("approve", "publish", "schedule"):
        assert (await tenants.call("POST", f"{path}/{name}", {}, "publish")).status == 428, name
        assert (await tenants.call("POST", f"{path}/{name}", None, "admin", if_match="*")).status == 428, name
    swapped = await tenants.call("PATCH", path, {"version": 2, "title": "Bài tráo"}, "publish", "haihau")
    assert (swapped.status, swapped.json()["state"]) == (200, "in_review")
    for name, headers in (("approve", {"if_match": '"2"'}), ("publish", {})):
        body = None if headers else {"version": 2}
        refused = await tenants.call("POST", f"{path}/{name}", body, "admin", **headers)
        found = refused.json()
        assert (refused.status, found["version"], found["action"]) == (412, 3, "edit")
        assert found["changed_by"].startswith("Người publish")
        assert found["changed_by"] in found["detail"]
        assert found["changed_at"] == swapped.json()["modified_at"]
    approved = await tenants.call("POST", f"{path}/approve", None, "publish", if_match='"3"')
    assert (approved.status, approved.headers["etag"]) == (200, '"4"')
    published = await tenants.call("POST", f"{path}/publish", {"version": 4}, "publish")
    assert (published.status, published.json()["title"]) == (200, "Bài tráo")


async def test_focus_set_after_the_approval_is_not_published(tenants: Any) -> None:
    """What was approved is published as it is: a writer's later focus point does not move the crop."""
    item = (await tenants.call("POST", "/media?site=haihau", png(), content_type="image/png")).json()
    figure = {"type": "figure", "caption": "Ảnh", "image": {"media": item["id"], "alt": "x"}}
    article = (await tenants.create("Bài", body=[figure]))["id"]
    for version, name in enumerate(("submit", "approve"), 1):
        assert (
            await tenants.call("POST", f"/articles/{article}/{name}", {"version": version}, "publish")
        ).status == 200
    assert (await tenants.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0, "y": 0}})).status == 200
    published = await tenants.call("POST", f"/articles/{article}/publish", {"version": 3}, "publish")
    assert (published.status, published.json()["body"][0]["image"]["focus"]) == (200, None)


async def test_old_url_of_another_article_is_refused(tenants: Any) -> None:
    """The first article of a site keeps a former address, in each spelling; on another site it is another address."""
    first = await tenants.create("Bài một", old_urls=["/c%C5%A9.htm", "/a.aspx?id=5"])
    for url in ("/cũ.htm", "/a.aspx?id=5"):
        sent = {**NEW, "site": "haihau", "old_urls": [url]}
        refused = await tenants.call("POST", "/articles", sent)
        assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "old_urls")
        assert first["id"] in refused.json()["errors"][0]["fault"]
        assert (await tenants.call("POST", "/articles", {**sent, "site": "giao-thuy"})).status == 201
    second = await tenants.create("Bài hai")
    path = f"/articles/{second['id']}"
    assert (await tenants.call("PATCH", path, {"version": 1, "old_urls": ["/cũ.htm"]})).status == 422
    given_up = await tenants.call("PATCH", f"/articles/{first['id']}", {"version": 1, "old_urls": []})
    assert given_up.status == 200
    assert (await tenants.call("PATCH", path, {"version": 1, "old_urls": ["/cũ.htm"]})).status == 200


async def test_import_reports_old_urls_that_it_leaves_out(tenants: Any) -> None:
    """An item with another article's former address, or a URL that cannot be one, is imported, and the URL reported."""
    lines = [{**LINE, "external_id": str(number), "old_urls": ["/cu.htm"]} for number in range(2)]
    content = "\n".join(map(json.dumps, lines)).encode()
    for expected in ("created", "unchanged"):
        response = await tenants.call("POST", "/imports?site=haihau", content)
        first, second = map(json.loads, response.body.splitlines())
        assert (first["status"], second["status"]) == (expected, expected)
        if expected == "created":
            assert first["article"] in second["warnings"][0]["message"]
            assert (first.get("old_urls"), second.get("old_urls")) == (["/cu.htm"], None)
    page = b"---\ntitle: T\nurl: https://cu.example/?fbclid=x\naliases: ['/a\"b']\n---\nx\n"
    response = await tenants.call("POST", "/imports?site=haihau&section=tin-tuc&file_name=a.md", page)
    assert len(json.loads(response.body)["warnings"]) == 2


async def test_old_url_cannot_be_an_address_that_another_article_had_here(tenants: Any) -> None:
    """After a change of its title, the former address of an article redirects to it, and to no other one."""
    first = await tenants.create("Tựa cũ")
    path, former = f"/articles/{first['id']}", f"/tua-cu-{first['number']}.html"
    for name, version in (("submit", 1), ("approve", 2), ("publish", 3)):
        assert (await tenants.call("POST", f"{path}/{name}", {"version": version}, "publish")).status == 200
    renamed = await tenants.call("PATCH", path, {"version": 4, "title": "Tựa mới", "slug": None})
    assert renamed.json()["slug"] == "tua-moi"
    refused = await tenants.call("POST", "/articles", {**NEW, "site": "haihau", "old_urls": [former]})
    assert (refused.status, refused.json()["errors"][0]["field"]) == (422, "old_urls")
    other_slug = former.replace("cu", "khac")  # it was never an address here, but may be one of a former system
    assert (await tenants.call("POST", "/articles", {**NEW, "site": "haihau", "old_urls": [other_slug]})).status == 201
    own = await tenants.call("PATCH", path, {"version": 5, "old_urls": [former]})
    assert own.status == 200


async def test_scheduled_text_keeps_its_author_while_another_editor_writes_its_successor(tenants: Any) -> None:
    """Who wrote the scheduled version cannot approve it, and who wrote the next one can, whatever time it has now."""
    pool = tenants.context.pool
    lan, minh = [await create(pool, name=name, scopes=["publish"], sites=["giao-thuy"]) for name in ("Lan", "Minh")]

    async def call(token: str, method: str, path: str, **sent: Any) -> Any:
        headers = [("content-type", "application/json"), ("authorization", f"Bearer {token}")]
        return await tenants.send(method, path, json.dumps(sent).encode(), headers)

    path = f"/articles/{(await call(lan, 'POST', '/articles', **NEW, site='giao-thuy')).json()['id']}"
    assert (await call(lan, "POST", f"{path}/submit")).status == 200
    assert (await call(minh, "POST", f"{path}/approve", version=2)).status == 200
    assert (await call(minh, "POST", f"{path}/schedule", version=3, publish_at="2099-01-01T00:00:00Z")).status == 200
    assert (await call(minh, "PATCH", path, version=4, lead="Sau")).status == 200
    for number, hour in enumerate(("01", "02"), 5):
        moved = {"version": number, "copy": "scheduled", "publish_at": f"2099-01-01T{hour}:00:00Z"}
        assert (await call(minh, "POST", f"{path}/schedule", **moved)).status == 200
        refused = await call(lan, "POST", f"{path}/publish", **{**moved, "version": number + 1, "publish_at": None})
        assert (refused.status, refused.json()["code"]) == (403, "second_editor_required")
    assert (await call(minh, "POST", f"{path}/discard-draft", version=7)).json()["state"] == "scheduled"
    now = {"version": 8, "publish_at": None}
    assert (await call(lan, "POST", f"{path}/publish", **now)).status == 403
    assert (await call(minh, "POST", f"{path}/publish", **now)).status == 200
