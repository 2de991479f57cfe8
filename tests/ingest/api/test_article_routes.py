"""Create, replace, patch and transitions, in this process."""

from typing import Any


async def test_create_article_without_language_has_the_sites(api: Any) -> None:
    """A draft has version 1, the language of its site, a slug of its title, and a location."""
    response = await api.call("POST", "/articles", {"site": "haihau", "section": "tin-tuc", "title": "Chợ Cồn"})
    article = response.json()
    assert (response.status, response.headers["etag"]) == (201, '"1"')
    assert response.headers["location"] == f"/api/articles/{article['id']}"
    assert (article["version"], article["state"], article["language"], article["slug"]) == (1, "draft", "vi", "cho-con")


async def test_create_article_with_known_external_id_is_409_with_its_article(api: Any) -> None:
    """A second article of the same source is refused, and the first one is named; another source is another article."""
    first = await api.create("Tựa", external_id="1")
    sent = {"site": "haihau", "section": "tin-tuc", "title": "Tựa", "external_id": "1"}
    refused = await api.call("POST", "/articles", sent)
    assert (refused.status, refused.json()["article"], refused.json()["version"]) == (409, first["id"], 1)
    assert (await api.call("POST", "/articles", {**sent, "source_system": "cms"})).status == 201


async def test_create_article_with_invalid_target_is_rejected(api: Any) -> None:
    """Site, section and scope are checked before anything is stored."""
    cases: list[Any] = [
        ({"site": "nowhere"}, "write", 404),
        ({"section": "nowhere"}, "write", 422),
        ({}, "read", 403),
        ({}, None, 401),
    ]
    for changed, scope, status in cases:
        sent = {"site": "haihau", "section": "tin-tuc", "title": "Tựa", **changed}
        assert (await api.call("POST", "/articles", sent, scope)).status == status
        assert await api.context.pool.fetchval("SELECT count(*) FROM ingest.articles") == 0


async def test_replace_article_resets_omitted_fields_and_patch_keeps_them(api: Any) -> None:
    """PUT replaces all content; PATCH changes the named fields, and null removes one."""
    article = await api.create("Tựa", lead="Dẫn", kicker="Mục", tags=["chợ"])
    path = f"/articles/{article['id']}"
    patched = (await api.call("PATCH", path, {"kicker": None, "title": "Tựa hai", "version": 1})).json()
    assert (patched["version"], patched["title"], patched["kicker"]) == (2, "Tựa hai", "")
    assert (patched["lead"], patched["tags"]) == ("Dẫn", ["chợ"])
    replaced = await api.call("PUT", path, {"section": "thong-bao", "title": "Tựa ba"}, if_match='"2"')
    assert replaced.headers["etag"] == '"3"'
    assert (replaced.json()["lead"], replaced.json()["tags"], replaced.json()["body"]) == ("", [], [])


async def test_patch_article_null_for_a_required_field_is_422(api: Any) -> None:
    """Title and section cannot be removed."""
    cases: list[Any] = ["title", "section"]
    for name in cases:
        article = await api.create("Tựa")
        refused = await api.call("PATCH", f"/articles/{article['id']}", {name: None, "version": 1})
        assert (refused.status, refused.json()["errors"][0]["field"]) == (422, name)


async def test_transition_from_another_state_names_the_possible_ones(api: Any) -> None:
    """A transition that the state does not allow is 409 with the states that do; refusing needs a reason."""
    article = await api.create("Tựa")
    path = f"/articles/{article['id']}"
    refused = await api.call("POST", f"{path}/unpublish", scope="publish")
    assert (refused.status, refused.json()["state"]) == (409, "draft")
    assert "published" in refused.json()["possible_from"]
    submitted = await api.call("POST", f"{path}/submit", {})
    assert (submitted.status, submitted.json()["state"]) == (200, "in_review")
    assert (await api.call("POST", f"{path}/refuse", {}, "publish")).status == 422
    returned = await api.call("POST", f"{path}/refuse", {"reason": "thiếu nguồn"}, "publish")
    assert (returned.status, returned.json()["state"]) == (200, "draft")


async def test_create_or_change_article_published_at_in_the_future_names_publish_at(api: Any) -> None:
    """A time of first publication in the future is refused with a sentence that says how to schedule an article."""
    article = await api.create("Tựa")
    future = {"published_at": "2099-01-01T00:00:00+07:00"}
    sent = {"site": "haihau", "section": "tin-tuc", "title": "Tựa", **future}
    for response in (
        await api.call("POST", "/articles", sent),
        await api.call("PATCH", f"/articles/{article['id']}", {**future, "version": 1}),
    ):
        assert response.status == 422
        assert "must not be in the future" in response.body.decode()
        assert "publish_at publishes it later" in response.body.decode()
