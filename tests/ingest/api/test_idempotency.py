"""Idempotency keys: one effect and one stored response per key."""

import asyncio
from typing import Any

import asyncpg


async def test_repeated_post_returns_stored_response(api: Any, pool: asyncpg.Pool) -> None:
    """The same request with the same key creates one article, and returns body, status and ETag again."""
    given = {"site": "haihau", "section": "tin-tuc", "title": "Một"}
    first = await api.call("POST", "/articles", given, idempotency_key="k-1")
    again = await api.call("POST", "/articles", given, idempotency_key="k-1")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    for name in ("etag", "location", "content-type"):
        assert again.headers[name] == first.headers[name]
    assert await pool.fetchval("SELECT count(*) FROM ingest.articles") == 1


async def test_field_order_and_white_space_do_not_matter(api: Any) -> None:
    """The fingerprint of a JSON body does not depend on field order and white space, but on values and path."""
    given = b'{"site": "haihau", "section": "tin-tuc", "title": "M"}'
    same = b'{"title":"M","section":"tin-tuc",\n"site":"haihau"}'
    first = await api.call("POST", "/articles", given, idempotency_key="k")
    assert (await api.call("POST", "/articles", same, idempotency_key="k")).body == first.body
    other = await api.call("POST", "/articles", given.replace(b"M", b"N"), idempotency_key="k")
    assert (other.status, "different request" in other.json()["detail"]) == (422, True)
    submit = await api.call("POST", f"/articles/{first.json()['id']}/submit", given, idempotency_key="k")
    assert submit.status == 422


async def test_same_body_for_another_site_is_another_request(tenants: Any) -> None:
    """Merging a section on each portal under one key is refused: the first response is not that of the others."""
    sites = ("haihau", "giao-thuy")
    for site in sites:
        for name in ("Du lịch", "Ẩm thực"):
            added = await tenants.call("POST", "/sections", {"site": site, "name": name}, "admin")
            assert added.status == 201, added.body
    headers = {"if_match": "*", "idempotency_key": "merge"}
    merged, other, again = [
        await tenants.call("POST", f"/sections/du-lich/merge?{query}", {"into": "am-thuc"}, "admin", **headers)
        for query in ("site=haihau", "site=giao-thuy", "site=haihau")
    ]
    assert (merged.status, other.status, other.json()["code"]) == (200, 422, "idempotency_key_reused")
    assert (again.body, again.headers["idempotent-replayed"]) == (merged.body, "true")
    assert (await tenants.call("GET", "/sections/du-lich?site=giao-thuy", scope="read")).json()["slug"] == "du-lich"


async def test_same_body_for_another_version_is_another_request(api: Any) -> None:
    """A step of another version under one key is refused: the first response is not that of the version read now."""
    article = await api.create("Một")
    statuses = [
        (await api.call("POST", f"/articles/{article['id']}/submit", {}, idempotency_key="k", if_match=version)).status
        for version in ('"1"', '"1"', '"2"', "*")
    ]
    assert statuses == [200, 200, 422, 422]


async def test_keys_of_other_tokens_are_separate(api: Any) -> None:
    """Two tokens may use the same key."""
    given = {"site": "haihau", "section": "tin-tuc", "title": "Một"}
    ids = {
        (await api.call("POST", "/articles", given, s, idempotency_key="k")).json()["id"] for s in ("write", "admin")
    }
    assert len(ids) == 2


async def test_concurrent_posts_with_one_key_run_once(api: Any, pool: asyncpg.Pool) -> None:
    """Of concurrent requests with one key, one creates the article and all return it."""
    given = {"site": "haihau", "section": "tin-tuc", "title": "Một"}
    await api.token("write")
    responses = await asyncio.gather(*(api.call("POST", "/articles", given, idempotency_key="k") for _ in range(4)))
    assert len({response.body for response in responses}) == 1
    assert sum("idempotent-replayed" in response.headers for response in responses) == 3
    assert await pool.fetchval("SELECT count(*) FROM ingest.articles") == 1


async def test_rejected_request_stores_no_response(api: Any, pool: asyncpg.Pool) -> None:
    """A rejection is not stored: the corrected request may use the same key."""
    bad = {"site": "haihau", "section": "khong-co", "title": "Một"}
    assert (await api.call("POST", "/articles", bad, idempotency_key="k")).status == 422
    assert await pool.fetchval("SELECT count(*) FROM ingest.idempotency_keys") == 0
    good = {**bad, "section": "tin-tuc"}
    assert (await api.call("POST", "/articles", good, idempotency_key="k")).status == 201


async def test_malformed_key_is_422(api: Any) -> None:
    """A key has visible ASCII characters only."""
    given = {"site": "haihau", "section": "tin-tuc", "title": "Một"}
    for key in ("", "a b", "kh\xf3a"):
        assert (await api.call("POST", "/articles", given, idempotency_key=key)).status == 422, key
