"""`/articles/bulk`: each article by itself, one bad one stops no other, and live copies change by their own rules."""

from typing import Any

NOTHING = {"action": "tag", "tags": ["lúa"]}


async def bulk(api: Any, items: list[Any], scope: str = "admin", status: int = 200, **body: Any) -> dict[str, Any]:
    named = [{"id": one} if isinstance(one, str) else one for one in items]
    headers = {"idempotency_key": body.pop("key")} if "key" in body else {}
    answer = await api.call("POST", "/articles/bulk", {**NOTHING, **body, "items": named}, scope, **headers)
    assert answer.status == status, answer.body
    return dict(answer.json())


async def made(api: Any, title: str, *, is_public: bool = False, **fields: Any) -> str:
    article = await api.create(title, **fields)
    if is_public:
        done = await api.call("POST", f"/articles/{article['id']}/publish", {"version": 1}, "admin")
        assert done.status == 200, done.body
    return str(article["id"])


async def read(api: Any, article: str, copy: str = "head") -> dict[str, Any]:
    return dict((await api.call("GET", f"/articles/{article}?copy={copy}", scope="read")).json())


def statuses(done: dict[str, Any]) -> list[int]:
    return [one["status"] for one in done["results"]]


async def test_bulk_changes_each_article_with_its_own_result(api: Any) -> None:
    """Unknown, killed and changed articles are errors of their own, in the order of the request."""
    one, two, killed = [await made(api, title) for title in ("Một", "Hai", "Ba")]
    assert (await api.call("POST", f"/articles/{killed}/kill", {"reason": "sai"}, "admin")).status == 200
    items: list[Any] = [killed, {"id": one, "version": 1}, "khong-co", {"id": two, "version": 9}, "%00", "../x"]
    done = await bulk(api, items)
    assert statuses(done) == [409, 200, 404, 412, 404, 404]
    assert (done["succeeded"], done["failed"]) == (1, 5)
    assert [item["id"] for item in done["results"]] == [killed, one, "khong-co", two, "%00", "../x"]
    assert ((await read(api, one))["tags"], (await read(api, two))["tags"]) == (["lúa"], [])
    last = (await api.call("GET", f"/articles/{one}/revisions?limit=1", scope="read")).json()["revisions"][0]
    assert (last["version"], last["who"]) == (2, "Người admin")


async def test_bulk_atomic_changes_all_or_none(api: Any) -> None:
    """One error leaves every article as it was, with the results in the problem."""
    one, two = [await made(api, title) for title in ("Một", "Hai")]
    refused = await bulk(api, [one, "khong-co", two], status=409, atomic=True)
    assert statuses(refused) == [200, 404, 200]
    assert [(await read(api, article))["version"] for article in (one, two)] == [1, 1]
    assert statuses(await bulk(api, [one, two], atomic=True)) == [200, 200]
    assert [(await read(api, article))["tags"] for article in (one, two)] == [["lúa"], ["lúa"]]


async def test_bulk_changes_live_copies_and_leaves_drafts_above_them(api: Any) -> None:
    """Tag, untag and section of a public article are live at once; its unfinished text is not, but has the tag, too."""
    article = await made(api, "Đã đăng", is_public=True, tags=["chợ"])
    draft = {"version": (await read(api, article))["version"], "title": "Đang viết"}
    assert (await api.call("PATCH", f"/articles/{article}", draft)).status == 200
    assert statuses(await bulk(api, [article], action="tag")) == [200]
    live, head = await read(api, article, "live"), await read(api, article)
    assert (live["title"], live["tags"], live["state"]) == ("Đã đăng", ["chợ", "lúa"], "published")
    assert (head["title"], head["tags"], head["state"]) == ("Đang viết", ["chợ", "lúa"], "draft")
    assert statuses(await bulk(api, [article], action="untag", tags=["chợ", "không có"])) == [200]
    done = await bulk(api, [article], action="section", section="thong-bao", tags=[])
    assert statuses(done) == [200]
    live = await read(api, article, "live")
    assert (live["title"], live["tags"], live["section"]) == ("Đã đăng", ["lúa"], "thong-bao")
    assert statuses(await bulk(api, [article], action="unpublish", tags=[])) == [200]
    assert (await read(api, article, "live"))["state"] == "unpublished"
    assert statuses(await bulk(api, [article], action="unpublish", tags=[])) == [409]


async def test_bulk_is_idempotent_and_changes_nothing_twice(api: Any) -> None:
    """A repeated key returns the first response; without one, what is as requested already makes no version."""
    articles = [await made(api, "Nháp"), await made(api, "Đã đăng", is_public=True)]
    first = await bulk(api, articles, key="k-1")
    assert await bulk(api, articles, key="k-1") == first
    versions = [(await read(api, article))["version"] for article in articles]
    again = await bulk(api, articles)
    assert [one.get("changed", False) for one in again["results"]] == [False, False]
    assert [(await read(api, article))["version"] for article in articles] == versions


async def test_bulk_needs_the_right_that_each_article_needs(tenants: Any) -> None:
    """A writer changes drafts and no public article; an article of another site is not found."""
    draft, public = await made(tenants, "Nháp"), await made(tenants, "Đã đăng", is_public=True)
    other = await made(tenants, "Của site khác", site="giao-thuy")
    body = {**NOTHING, "items": [{"id": one} for one in (draft, public, other)]}
    for scope, expected in (("write", [200, 403, 404]), ("publish", [200, 200, 404])):
        answer = await tenants.call("POST", "/articles/bulk", body, scope, "haihau")
        assert (answer.status, statuses(answer.json())) == (200, expected)
        assert b"giao-thuy" not in answer.body
    unpublish = {"action": "unpublish", "items": [{"id": public}]}
    answer = await tenants.call("POST", "/articles/bulk", unpublish, "write", "haihau")
    assert statuses(answer.json()) == [403]
    assert (await tenants.call("POST", "/articles/bulk", body, "read", "haihau")).status == 403
    assert (await tenants.call("POST", "/articles/bulk", body, None)).status == 401


async def test_bulk_requests_that_cannot_be_are_refused(api: Any) -> None:
    """Too many or repeated articles, missing or unused fields, and everything that is no request."""
    article = await made(api, "Một", tags=[f"t{number}" for number in range(20)])
    item = {"id": article}
    for body in (
        {"action": "tag", "tags": ["a"], "items": []},
        {"action": "tag", "tags": ["a"], "items": [{"id": f"a{number}"} for number in range(201)]},
        {"action": "tag", "tags": ["a"], "items": [item, item]},
        {"action": "tag", "tags": ["a"], "items": [item, {**item, "version": 1}]},
        {"action": "tag", "items": [item]},
        {"action": "tag", "tags": [], "items": [item]},
        {"action": "tag", "tags": ["x" * 61], "items": [item]},
        {"action": "tag", "tags": [""], "items": [item]},
        {"action": "tag", "tags": ["a"], "section": "tin-tuc", "items": [item]},
        {"action": "section", "items": [item]},
        {"action": "section", "section": "Tin Tức", "items": [item]},
        {"action": "section", "section": "tin-tuc", "tags": ["a"], "items": [item]},
        {"action": "unpublish", "tags": ["a"], "items": [item]},
        {"action": "kill", "items": [item]},
        {"action": "tag", "tags": ["a"], "items": [{**item, "version": 0}]},
        {"action": "tag", "tags": ["a"], "items": [{**item, "site": "haihau"}]},
        {"action": "tag", "tags": ["a"], "items": article},
        {"action": "tag", "tags": ["a"], "items": [item], "atomic": "sometimes"},
        {"action": "tag", "tags": ["a"], "items": [item], "dry_run": True},
        [],
    ):
        answer = await api.call("POST", "/articles/bulk", body, "admin")
        assert answer.status == 422, (body, answer.body)
    assert statuses(await bulk(api, [article])) == [422]
    assert statuses(await bulk(api, [article], action="section", section="khong-co", tags=[])) in ([200], [422])
    assert (await read(api, article))["tags"] == [f"t{number}" for number in range(20)]


async def by_filter(api: Any, expected: int | None, scope: str = "admin", **filters: Any) -> Any:
    body = {"action": "section", "section": "thong-bao", "filter": {"site": "haihau", **filters}, "expected": expected}
    return await api.call("POST", "/articles/bulk", body, scope)


async def test_bulk_by_filter_needs_the_number_that_it_matches(api: Any) -> None:
    """What was created since the count was shown is not changed unseen: 409 with the number, and nothing changes."""
    articles = [await made(api, f"Bài {number}", tags=["bão"], is_public=number == 0) for number in range(3)]
    other = await made(api, "Khác")
    for expected in (2, 4, 1_000):
        refused = await by_filter(api, expected, tag="bão")
        assert (refused.status, refused.json()["matching"]) == (409, 3)
    counted = (await api.call("GET", "/articles/counts?site=haihau&tag=b%C3%A3o", scope="read")).json()["total"]
    done = await by_filter(api, counted, tag="bão")
    assert (done.status, done.json()["succeeded"], done.json()["failed"]) == (200, 3, 0)
    assert sorted(one["id"] for one in done.json()["results"]) == sorted(articles)
    assert {(await read(api, article))["section"] for article in articles} == {"thong-bao"}
    assert (await read(api, other))["section"] == "tin-tuc"
    again = await by_filter(api, 3, tag="bão", section="tin-tuc")
    assert (again.status, again.json()["matching"]) == (409, 0)


async def test_bulk_by_filter_changes_only_what_the_caller_may_read(newsroom: Any) -> None:
    """Articles of other sections neither count nor change; those that may only be read are errors of their own."""
    api = newsroom.api
    own, other = await made(api, "Của tôi", section="tin-tuc"), await made(api, "Của ban khác", section="thong-bao")
    writer = await newsroom.browser("write:haihau:tin-tuc")
    body = {"action": "tag", "tags": ["x"], "filter": {"site": "haihau"}, "expected": 1}
    done = await writer.call("POST", "/articles/bulk", body)
    assert [one["id"] for one in done.json()["results"]] == [own]
    assert (await read(api, other))["version"] == 1
    reader = await newsroom.browser("read:haihau", "write:haihau:tin-tuc")
    done = await reader.call("POST", "/articles/bulk", {**body, "tags": ["y"], "expected": 2})
    assert sorted(statuses(done.json())) == [200, 403]
    assert (await reader.call("POST", "/articles/bulk", {**body, "filter": {"site": "giao-thuy"}})).status == 403


async def test_bulk_filters_that_cannot_be_are_refused(api: Any) -> None:
    """Nothing is guessed: a filter without a site or a number, with items, unknown keys or odd values."""
    await made(api, "Bài")
    bad: list[dict[str, Any]] = [
        {"filter": {}, "expected": 1},
        {"filter": {"site": "haihau"}},
        {"filter": {"site": "haihau"}, "expected": 0},
        {"filter": {"site": "haihau"}, "expected": 1_001},
        {"filter": {"site": "haihau", "stat": "draft"}, "expected": 1},
        {"filter": {"site": "haihau", "state": ["zzz"]}, "expected": 1},
        {"filter": {"site": "haihau", "tag": "a\0b"}, "expected": 1},
        {"filter": {"site": "haihau"}, "expected": 1, "items": [{"id": "x"}]},
        {"expected": 1, "items": [{"id": "x"}]},
        {"items": []},
    ]
    for body in bad:
        answer = await api.call("POST", "/articles/bulk", {**NOTHING, **body}, "admin")
        assert answer.status == 422, (body, answer.body)
    for text in ("tin-tuc\nthong-bao", "'", "%", "\\"):
        answer = await by_filter(api, 1, section=text)
        assert (answer.status, answer.json()["matching"]) == (409, 0)
