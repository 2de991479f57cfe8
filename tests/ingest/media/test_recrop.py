"""The focus point of a stored image: new crops, and the articles that show it."""

import asyncio
import io
from typing import Any

import asyncpg
import pytest
from PIL import Image as Picture

from services.ingest.articles import store
from services.ingest.auth.actors import Actor
from services.ingest.media import recrop
from services.ingest.media.library import stored_item
from services.ingest.media.recrop import update_articles
from shared.articles import CROP_RATIOS, PUBLICATION_BYTES_MAX

PIXEL = (480, 480)
OUTBOX = "SELECT key, value FROM ingest.outbox ORDER BY id"


def photo(seed: int = 1) -> bytes:
    """Return an image whose parts all differ."""
    output = io.BytesIO()
    image = Picture.linear_gradient("L").resize(PIXEL)
    Picture.merge("RGB", (image, image.rotate(90), image.point(lambda value: (value * seed) % 256))).save(output, "PNG")
    return output.getvalue()


async def uploaded(api: Any, query: str = "", seed: int = 1) -> dict[str, Any]:
    response = await api.call("POST", f"/media{query}", photo(seed))
    assert response.status == 201, response.body
    return dict(response.json())


async def published(api: Any, **fields: Any) -> dict[str, Any]:
    draft = await api.create("Bài có ảnh", **fields)
    response = await api.call("POST", f"/articles/{draft['id']}/publish", {"version": 1}, "admin")
    assert response.status == 200, response.body
    return dict(response.json())


def figure(item: dict[str, Any], **image: Any) -> dict[str, Any]:
    return {"type": "figure", "caption": "Ảnh", "image": {"media": item["id"], "alt": "Ảnh", **image}}


async def test_first_image_of_an_article_has_crops(api: Any) -> None:
    """The image that stands for the article has a crop of each ratio, the others have none; such a body can be sent."""
    item = await uploaded(api, "?focus_x=0.1&focus_y=0.9")
    assert [one["ratio"] for one in item["crops"]] == list(CROP_RATIOS)
    unused = {**item, "used_in": [], "pages": [], "banners": [], "authors": []}
    assert (await api.call("GET", f"/media/{item['id']}")).json() == unused
    assert (await api.call("GET", "/media")).json()["media"] == [unused]
    article = await api.create("Bài", lead_image=figure(item), body=[figure(item)])
    assert article["lead_image"]["image"]["crops"] == item["crops"]
    assert article["body"][0]["image"]["crops"] == []
    sent = {"version": 1, "body": article["body"], "lead_image": None}
    again = await api.call("PATCH", f"/articles/{article['id']}", sent)
    assert (again.status, again.json()["body"][0]["image"]["crops"]) == (200, item["crops"])


async def test_own_focus_point_of_an_article_has_crops_of_its_own(api: Any) -> None:
    """An article with another focus point than its image gets crops around that, at once."""
    item = await uploaded(api)
    article = await api.create("Bài", lead_image=figure(item, focus={"x": 1, "y": 0}))
    crops = article["lead_image"]["image"]["crops"]
    assert [one["ratio"] for one in crops] == list(CROP_RATIOS)
    urls, others = ({one["url"] for one in found if one["ratio"] != "1:1"} for found in (crops, item["crops"]))
    assert not urls & others


async def test_changed_focus_point_gives_published_articles_new_crops(api: Any) -> None:
    """A live article gets the new crops and is sent; its text, state and time of change stay as they were."""
    item = await uploaded(api)
    article = await published(api, lead_image=figure(item))
    own = await published(api, lead_image=figure(item, focus={"x": 0.5, "y": 0}))
    changed = await api.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0.5, "y": 1}}, "publish")
    assert changed.status == 200, changed.body
    assert changed.json()["crops"] != item["crops"]
    now = (await api.call("GET", f"/articles/{article['id']}", scope="read")).json()
    assert (now["version"], now["live_version"], now["state"]) == (3, 3, "published")
    assert now["lead_image"]["image"]["crops"] == changed.json()["crops"]
    assert now["lead_image"]["image"]["focus"] == {"x": 0.5, "y": 1.0}
    sent = [row["key"] for row in await api.context.pool.fetch(OUTBOX)]
    assert sent == [article["id"], own["id"], article["id"]]
    live = (await api.call("GET", f"/articles/{article['id']}", scope=None)).json()
    assert live["modified_at"] == article["modified_at"]
    kept = (await api.call("GET", f"/articles/{own['id']}", scope="read")).json()
    assert (kept["version"], kept["lead_image"]) == (own["version"], own["lead_image"])
    revisions = (await api.call("GET", f"/articles/{article['id']}/revisions", scope="read")).json()["revisions"]
    assert [one["action"] for one in revisions] == ["crop", "publish", "create"]


async def test_article_that_is_too_large_for_new_crops_keeps_its_own(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other articles with the image get theirs."""
    item = await uploaded(api)
    large = await published(api, lead_image=figure(item), lead="x" * 500)
    small = await published(api, lead_image=figure(item))
    size = await api.context.pool.fetchval("SELECT max(length(value)) FROM ingest.outbox WHERE topic = 'articles'")
    monkeypatch.setattr(store, "ARTICLE_BYTES_MAX", size - PUBLICATION_BYTES_MAX)
    changed = await api.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0.125, "y": 0.875}}, "publish")
    assert changed.status == 200, changed.body
    crops = []
    for article in (large, small):
        now = (await api.call("GET", f"/articles/{article['id']}?copy=live", scope="read")).json()
        crops.append(now["lead_image"]["image"]["crops"])
    assert crops == [item["crops"], changed.json()["crops"]]


async def test_work_on_a_live_article_stays_unpublished_when_the_focus_changes(api: Any) -> None:
    """Both versions get the crops, and nothing else of the working version goes live."""
    item = await uploaded(api)
    article = await published(api, lead_image=figure(item))
    edit = {"version": article["version"], "title": "Tựa đang viết"}
    assert (await api.call("PATCH", f"/articles/{article['id']}", edit)).status == 200
    await api.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0, "y": 1}}, "publish")
    now = (await api.call("GET", f"/articles/{article['id']}", scope="read")).json()
    live = (await api.call("GET", f"/articles/{article['id']}", scope=None)).json()
    assert (now["title"], now["state"]) == ("Tựa đang viết", "draft")
    assert live["title"] == "Bài có ảnh"
    assert live["lead_image"] == now["lead_image"]
    assert live["lead_image"]["image"]["focus"] == {"x": 0.0, "y": 1.0}


async def test_writer_changes_the_crops_of_no_live_article(api: Any) -> None:
    """Without the scope to publish, a new focus point reaches drafts, and live articles keep their crops."""
    item = await uploaded(api)
    live = await published(api, lead_image=figure(item))
    draft = await api.create("Nháp", lead_image=figure(item))
    changed = await api.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0.5, "y": 1}}, "write")
    assert changed.status == 200
    for article, crops in ((live, item["crops"]), (draft, changed.json()["crops"])):
        now = (await api.call("GET", f"/articles/{article['id']}", scope="read")).json()
        assert now["lead_image"]["image"]["crops"] == crops
    entries = (await api.call("GET", "/audit", scope="admin")).json()["entries"]
    assert any(one.get("action") == "focus" for one in entries), entries


async def test_focus_point_that_did_not_change_changes_no_article(api: Any) -> None:
    """The same focus point again makes no version."""
    item = await uploaded(api, "?focus_x=0.25&focus_y=0.75")
    article = await published(api, lead_image=figure(item))
    await api.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0.25, "y": 0.75}}, "publish")
    now = (await api.call("GET", f"/articles/{article['id']}", scope="read")).json()
    assert now["version"] == article["version"]


@pytest.mark.parametrize("withdrawal", ["unpublish", "kill"])
async def test_withdrawn_article_is_not_sent_again_for_its_crops(api: Any, withdrawal: str) -> None:
    """An article that is not public any more is not published by a new focus point."""
    item = await uploaded(api)
    article = await published(api, lead_image=figure(item))
    response = await api.call("POST", f"/articles/{article['id']}/{withdrawal}", {"reason": "sai"}, "publish")
    assert response.status == 200, response.body
    before = len(await api.context.pool.fetch(OUTBOX))
    await api.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0, "y": 0}}, "publish")
    assert len(await api.context.pool.fetch(OUTBOX)) == before


async def test_editing_an_old_article_cuts_the_crops_it_lacks(api: Any) -> None:
    """An article is saved with crops of an image that had none, whether it names it by ID or by URL."""
    item = await uploaded(api)
    await api.context.pool.execute("DELETE FROM ingest.media_crops")
    by_url = {"caption": "Ảnh", "image": {"url": item["image"]["url"], "alt": "x"}}
    article = await api.create("Bài", lead_image=by_url)
    assert article["lead_image"]["image"]["crops"] == item["crops"]


async def test_article_is_saved_although_its_crops_cannot_be_cut(api: Any) -> None:
    """A lost original does not prevent an article: lists show the whole image."""
    item = await uploaded(api)
    await api.context.pool.execute("DELETE FROM ingest.media_crops")
    await api.context.media.store.delete_async(f"originals/{item['id']}")
    article = await api.create("Bài", lead_image=figure(item))
    assert article["lead_image"]["image"]["crops"] == []
    changed = await api.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0, "y": 0}}, "publish")
    assert changed.status == 404
    assert (await api.call("GET", f"/media/{item['id']}")).json()["image"]["focus"] is None


async def test_articles_of_another_site_keep_their_crops(tenants: Any) -> None:
    """The same file on two sites has a focus point on each; a change on one changes no article of the other."""
    first = (await tenants.call("POST", "/media?site=haihau", photo())).json()
    second = (await tenants.call("POST", "/media?site=giao-thuy", photo())).json()
    assert first["crops"] == second["crops"]
    theirs = await tenants.create("Bài", site="giao-thuy", lead_image=figure(second))
    await tenants.call("PATCH", f"/media/{first['id']}?site=haihau", {"focus": {"x": 0, "y": 0}})
    now = (await tenants.call("GET", f"/articles/{theirs['id']}", scope="read")).json()
    assert now["version"] == 1
    item = await stored_item(tenants.context.pool, first["id"], ["giao-thuy"])
    assert item is not None
    assert await update_articles(tenants.context.pool, item, Actor("An")) == 0


async def crops_of(api: Any, article: dict[str, Any]) -> Any:
    return (await api.call("GET", f"/articles/{article['id']}", scope="read")).json()["lead_image"]["image"]["crops"]


async def test_focus_points_that_are_set_at_once_leave_articles_with_the_last(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first change that reaches the articles after a second one gives them the crops of the second one, too."""
    item = await uploaded(api)
    article = await published(api, lead_image=figure(item))
    update, goes_on, calls = recrop.update_articles, asyncio.Event(), 0

    async def first_waits(*given: Any, **named: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            await goes_on.wait()
        return await update(*given, **named)

    monkeypatch.setattr(recrop, "update_articles", first_waits)
    path = f"/media/{item['id']}"
    first = asyncio.create_task(api.call("PATCH", path, {"focus": {"x": 0.5, "y": 0}}, "publish"))
    while not calls:  # noqa: ASYNC110 - it is in the route
        await asyncio.sleep(0.01)
    second = await api.call("PATCH", path, {"focus": {"x": 0.5, "y": 1}}, "publish")
    goes_on.set()
    assert ((await first).status, second.status) == (200, 200)
    assert (await api.call("GET", path)).json()["crops"] == second.json()["crops"]
    assert await crops_of(api, article) == second.json()["crops"]


async def test_article_that_is_saved_while_the_focus_changes_gets_the_new_crops(api: Any, database: str) -> None:
    """Saved with the former focus point and stored after the change, an article is found and has the new crops."""
    item = await uploaded(api)
    await published(api)
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("LOCK TABLE ingest.revisions IN EXCLUSIVE MODE")
        saved = asyncio.create_task(api.create("Đang lưu", lead_image=figure(item)))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await other.fetchval(waiting):  # noqa: ASYNC110 - it is in Postgres
            await asyncio.sleep(0.02)
        changed = asyncio.create_task(api.call("PATCH", f"/media/{item['id']}", {"focus": {"x": 0, "y": 1}}, "publish"))
        await asyncio.wait([changed], timeout=2)
    article, answer = await saved, await changed
    assert answer.status == 200, answer.body
    assert await crops_of(api, article) == answer.json()["crops"] != item["crops"]
    await other.close()
