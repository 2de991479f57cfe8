"""Articles whose section and tags were renamed since they were saved: changes of them, and what differs."""

from typing import Any

from services.ingest.articles.scheduler import run_next_due

FUTURE = "2099-01-01T00:00:00Z"


async def published(api: Any, *tags: str) -> tuple[str, int]:
    """Publish an article with tags; return its path and version."""
    article = await api.create("Bão", tags=list(tags))
    path = f"/articles/{article['id']}"
    done = await api.call("POST", f"{path}/publish", {"version": 1}, "admin")
    assert done.status == 200
    return path, done.json()["version"]


async def rename(api: Any) -> None:
    """Rename the tag `bão số 3` to `Bão Yagi`, and the section `tin-tuc` to `thoi-su`."""
    for path, sent in (("/tags/bao-so-3", {"name": "Bão Yagi"}), ("/sections/tin-tuc", {"slug": "thoi-su"})):
        done = await api.call("PATCH", f"{path}?site=haihau", sent, "admin", if_match="*")
        assert done.status == 200, done.body


async def untag(api: Any, path: str, *tags: str) -> dict[str, Any]:
    sent = {"action": "untag", "tags": list(tags), "items": [{"id": path.rpartition("/")[2]}]}
    done = await api.call("POST", "/articles/bulk", sent, "admin")
    assert done.json()["succeeded"] == 1, done.body
    return dict(done.json()["results"][0])


async def test_renamed_tag_is_removed_under_each_of_its_names(api: Any) -> None:
    """From public articles and from drafts, under its present name, a former one, and in another spelling."""
    live, _ = await published(api, "bão số 3", "biển")
    drafts = [f"/articles/{(await api.create('Nháp', tags=['bão số 3', 'biển']))['id']}" for _ in range(2)]
    await rename(api)
    for path, name in zip((live, *drafts), ("Bão Yagi", "bão số 3", "BÃO YAGI"), strict=True):
        assert (await untag(api, path, name))["changed"]
        assert (await api.call("GET", path)).json()["tags"] == ["biển"]
    again = await api.call(
        "POST",
        "/articles/bulk",
        {"action": "tag", "tags": ["Biển", "Đê điều"], "items": [{"id": live.rpartition("/")[2]}]},
        "admin",
    )
    assert again.json()["results"][0]["changed"]
    assert (await api.call("GET", live)).json()["tags"] == ["biển", "Đê điều"]


async def test_rename_is_no_difference_and_the_shown_values_are_no_change(api: Any) -> None:
    """What is sent as it is shown makes no version; an edit differs from the live version in what it has changed."""
    path, version = await published(api, "bão số 3")
    await rename(api)
    shown = (await api.call("GET", path)).json()
    assert (shown["section"], shown["tags"]) == ("thoi-su", ["Bão Yagi"])
    same = {"version": version, "section": "thoi-su", "tags": ["Bão Yagi"]}
    assert (await api.call("PATCH", f"{path}/live", same, "admin")).json()["version"] == version
    edited = (await api.call("PATCH", path, {"version": version, "lead": "Sapo"})).json()
    assert edited["differs_from_live"] == ["lead"]
    for versions in ("", "?from=1&to=3"):
        names = {one["field"] for one in (await api.call("GET", f"{path}/diff{versions}")).json()["fields"]}
        assert not names & {"section", "tags"}
    submitted = (await api.call("POST", f"{path}/submit", {"version": edited["version"]})).json()
    assert (submitted["section"], submitted["tags"]) == ("thoi-su", ["Bão Yagi"])


async def test_removed_tag_does_not_come_back_with_a_version_that_was_scheduled_before(api: Any) -> None:
    """The live version has the tag under its former name, and the scheduled one under the present one."""
    path, version = await published(api, "bão số 3", "biển")
    await rename(api)
    edited = (await api.call("PATCH", path, {"version": version, "tags": ["Bão Yagi", "đê"]})).json()["version"]
    sent = {"version": edited, "publish_at": FUTURE}
    scheduled = (await api.call("POST", f"{path}/schedule", sent, "admin")).json()["version"]
    fewer = {"version": scheduled, "tags": ["biển"], "carry_over": False}
    assert (await api.call("PATCH", f"{path}/live", fewer, "admin")).status == 200
    await api.context.pool.execute("UPDATE ingest.articles SET scheduled_for = now() WHERE scheduled_for IS NOT NULL")
    assert await run_next_due(api.context.pool, api.context.sites)
    assert (await api.call("GET", f"{path}?copy=live")).json()["tags"] == ["đê"]
