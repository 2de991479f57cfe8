"""Lists, single articles, exports and publication status, with and without a token."""

import re
from typing import Any


async def published(api: Any, title: str, **fields: Any) -> dict[str, Any]:
    article = await api.create(title, **fields)
    response = await api.call("POST", f"/articles/{article['id']}/publish", {"version": 1}, "admin")
    assert response.status == 200, response.body
    return dict(response.json())


async def test_get_article_without_token_is_the_published_version(api: Any) -> None:
    """The public sees published versions only; editors see the working version with its ETag."""
    draft = await api.create("Nháp")
    public = await published(api, "Đã đăng")
    path = f"/articles/{public['id']}"
    changed = {"title": "Đang sửa", "version": public["version"]}
    assert (await api.call("PATCH", path, changed)).status == 200
    assert (await api.call("GET", f"/articles/{draft['id']}", scope=None)).status == 404
    assert (await api.call("GET", path, scope=None)).json()["title"] == "Đã đăng"
    head = await api.call("GET", path, scope="read")
    assert (head.json()["title"], head.json()["version"]) == ("Đang sửa", public["version"] + 1)
    assert re.fullmatch(rf'"{public["version"] + 1}-[0-9a-f]{{8}}"', head.headers["etag"])
    changed = await api.call("PATCH", path, {"title": "Đã sửa"}, if_match=head.headers["etag"])
    assert (changed.status, changed.headers["etag"]) == (200, f'"{public["version"] + 2}"')
    assert (await api.call("PATCH", path, {"title": "Muộn"}, if_match=head.headers["etag"])).status == 412
    assert (await api.call("GET", f"{path}?copy=live", scope="read")).json()["title"] == "Đã đăng"
    assert (await api.call("GET", f"/articles/{draft['id']}?copy=live", scope="read")).status == 404


async def test_get_killed_article_without_token_is_410(api: Any) -> None:
    """A killed article is gone for the public, on each of its paths."""
    article = await published(api, "Sai")
    assert (await api.call("POST", f"/articles/{article['id']}/kill", {"reason": "sai"}, "admin")).status == 200
    for suffix in ("", ".ninjs", ".jsonld"):
        assert (await api.call("GET", f"/articles/{article['id']}{suffix}", scope=None)).status == 410


async def test_list_articles_pages_by_cursor_newest_first(api: Any) -> None:
    """Each article is on one page; the last page has no cursor."""
    titles = [(await api.create(f"Bài {number}"))["title"] for number in range(5)]
    seen, cursor = [], ""
    for _ in range(3):
        page = (await api.call("GET", f"/articles?limit=2{cursor}", scope="read")).json()
        seen += [article["title"] for article in page["articles"]]
        cursor = f"&cursor={page['next']}"
    assert seen == titles[::-1]
    assert page["next"] is None


async def test_list_articles_with_invalid_filter_is_rejected(api: Any) -> None:
    """An unknown site, an unknown filter and a value out of range are errors, not empty lists."""
    cases: list[Any] = [
        ("site=nowhere", 404),
        ("limit=0", 422),
        ("limit=101", 422),
        ("state=gone", 422),
        ("colour=red", 422),
        ("cursor=x", 422),
        ("q=%00", 422),
        ("modified_since=2026-11-24", 422),
        ("section=tin-tuc&state=draft&q=b%C3%A0i&author=An&tag=x", 200),
    ]
    for query, status in cases:
        assert (await api.call("GET", f"/articles?{query}", scope="read")).status == status


async def test_list_articles_without_token_has_no_drafts(api: Any) -> None:
    """The public list has published articles without editors' fields."""
    await api.create("Nháp")
    await published(api, "Đã đăng")
    (article,) = (await api.call("GET", "/articles", scope=None)).json()["articles"]
    assert article["title"] == "Đã đăng"
    assert "steps" not in article


async def test_exports_are_those_of_the_visible_version(api: Any) -> None:
    """Ninjs and JSON-LD have the published version for the public, and media types of their own."""
    article = await published(api, "Đã đăng")
    ninjs = await api.call("GET", f"/articles/{article['id']}.ninjs", scope=None)
    jsonld = await api.call("GET", f"/articles/{article['id']}.jsonld", scope=None)
    assert ninjs.json()["headlines"][0]["value"] == "Đã đăng"
    assert (jsonld.json()["headline"], jsonld.headers["content-type"]) == ("Đã đăng", "application/ld+json")


async def test_publication_wait_out_of_range_is_422(api: Any) -> None:
    """A wait is seconds or milliseconds in ASCII digits, at most 30 seconds."""
    article = await published(api, "Đã đăng")
    for wait in ("31", "30.001", "-1", "x", "1m", "1e3", "%D9%A3"):
        path = f"/articles/{article['id']}/publication?wait={wait}"
        assert (await api.call("GET", path, scope="read")).status == 422, wait


async def test_list_articles_finds_words_of_titles_by_an_index(api: Any) -> None:
    """The words of a title are found without diacritics, the last one by its beginning; the search reads an index."""
    await published(api, "Hải Hậu mở lại chợ Đình (1,712 người)")
    await published(api, "Chợ phiên")
    for q, count in (
        ("H%E1%BA%A3i%20H%E1%BA%ADu", 1),
        ("hai hau cho".replace(" ", "%20"), 1),
        ("dinh", 1),
        ("cho", 2),
        ("ch", 2),
        ("1,712", 1),
        ("%27%3A%2A%20%7C%20x", 0),
        ("ch%20", 0),
        ("%28%29", 0),
    ):
        for scope in (None, "read"):
            found = await api.call("GET", f"/articles?q={q}", scope=scope)
            assert (found.status, len(found.json()["articles"])) == (200, count), (q, scope, found.body)
    indexes = await api.context.pool.fetch("SELECT indexdef FROM pg_indexes WHERE schemaname = 'ingest'")
    assert {"live_title_words", "words"} <= {row["indexdef"].rsplit("(", 1)[1].rstrip(")") for row in indexes}


async def test_list_articles_has_short_rows_unless_asked(api: Any) -> None:
    """Rows have no body; `full=true` has whole articles; the public sees no IDs of the source."""
    article = await published(api, "Dài", body="<p>thân</p>", external_id="bi-mat", source_system="cms-noi-bo")
    for scope in (None, "read"):
        (row,) = (await api.call("GET", "/articles", scope=scope)).json()["articles"]
        (full,) = (await api.call("GET", "/articles?full=true", scope=scope)).json()["articles"]
        assert "body" not in row
        assert full["body"] == article["body"]
        assert row["title"] == "Dài"
    single = [f"/articles/{article['id']}{end}" for end in ("", ".ninjs", ".jsonld")]
    for path in ("/articles", "/articles?full=true", *single):
        answer = await api.call("GET", path, scope=None)
        assert answer.status == 200
        assert b"bi-mat" not in answer.body
        assert b"cms-noi-bo" not in answer.body
