"""Entity tags of articles that are read: for each representation its own."""

from typing import Any

from tests.ingest.api.test_public_article_routes import published


async def test_get_article_with_if_none_match_is_304_until_a_change(api: Any) -> None:
    """What is read has an ETag of its own, compressed or not; a change of any copy is another one; 404 and 410 stay."""
    article = await published(api, "Đã đăng")
    path = f"/articles/{article['id']}"
    tags = []
    for scope, query in ((None, ""), ("read", ""), ("read", "?copy=live")):
        first = await api.call("GET", f"{path}{query}", scope=scope)
        tag = first.headers["etag"]
        tags.append(tag)
        for sent in (tag, f"W/{tag}", f'"x", {tag[:-1]}-zstd"'):
            known = await api.call("GET", f"{path}{query}", scope=scope, if_none_match=sent)
            assert (known.status, known.body, known.headers["etag"]) == (304, b"", tag), sent
            assert known.headers["cache-control"] == "no-store"
    assert tags[0] == tags[2] != tags[1], "the live version is one thing, and what editors get of the article another"
    pinned = {"version": 2, "pinned_until": "2099-01-01T00:00:00Z"}
    assert (await api.call("PATCH", f"{path}/live", pinned, "publish")).status == 200
    for scope, query in ((None, ""), ("read", ""), ("read", "?copy=live")):
        assert (await api.call("GET", f"{path}{query}", scope=scope, if_none_match=", ".join(tags))).status == 200
    assert (await api.call("POST", f"{path}/kill", {"reason": "x"}, "publish")).status == 200
    assert (await api.call("GET", path, scope=None, if_none_match='"4"')).status == 410
    assert (await api.call("GET", "/articles/khong-co", scope="read", if_none_match="*")).status == 404


async def test_get_article_of_a_known_version_that_shows_something_else_is_200(api: Any) -> None:
    """Other rights, another language of its warnings and another copy are other representations of one version."""
    article = await published(api, "Đã đăng")
    path = f"/articles/{article['id']}"
    reader = await api.call("GET", path, scope="read")
    admin = await api.call("GET", path, scope="admin", if_none_match=reader.headers["etag"])
    assert (admin.status, admin.json()["version"]) == (200, reader.json()["version"])
    assert admin.json()["steps"] != reader.json()["steps"]
    live = await api.call("GET", f"{path}?copy=live", scope="read", if_none_match=reader.headers["etag"])
    assert (live.status, live.json()["version"]) == (200, reader.json()["version"])
    changed = {"title": "Tựa dài " * 20, "version": 2}
    assert (await api.call("PATCH", path, changed)).status == 200
    read = {code: await api.call("GET", path, scope="read", accept_language=code) for code in ("vi", "en")}
    assert read["vi"].json()["warnings"] != read["en"].json()["warnings"]
    assert read["vi"].headers["etag"] != read["en"].headers["etag"]
