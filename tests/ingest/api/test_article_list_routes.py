"""Lists of articles for editors: order, pages, filters, counts, short rows and the search."""

import base64
import unicodedata
from typing import Any
from urllib.parse import quote

import msgspec


async def titles(api: Any, query: str, scope: str = "read") -> list[str]:
    answer = await api.call("GET", f"/articles?{query}", scope=scope)
    assert answer.status == 200, (query, answer.body)
    return [row["title"] for row in answer.json()["articles"]]


async def scheduled(api: Any, title: str, at: str) -> None:
    article = await api.create(title)
    body = {"version": 1, "publish_at": at}
    assert (await api.call("POST", f"/articles/{article['id']}/schedule", body, "admin")).status == 200


async def test_list_in_every_order_has_each_article_once(api: Any) -> None:
    """Pages of two rows follow each other in both directions, also where keys are equal or missing."""
    names = ["Đèo", "deo", "Áo", "áo", "Bà", "Zen", "1.712"]
    for name in names[:4]:
        await api.create(name)
    await scheduled(api, names[4], "2100-01-02T00:00:00Z")
    await scheduled(api, names[5], "2100-01-01T00:00:00Z")
    published = await api.create(names[6], published_at="2020-01-01T00:00:00Z")
    await api.call("POST", f"/articles/{published['id']}/publish", {"version": 1}, "admin")
    firsts = {}
    for sort in ("number", "modified", "created", "due", "published", "title"):
        for order in ("", "asc", "desc"):
            query = f"sort={sort}&limit=2" + (f"&order={order}" if order else "")
            seen, cursor = [], ""
            for _ in range(5):
                page = (await api.call("GET", f"/articles?{query}{cursor}", scope="read")).json()
                seen += [row["title"] for row in page["articles"]]
                if page["next"] is None:
                    break
                cursor = f"&cursor={page['next']}"
            assert sorted(seen) == sorted(names), (sort, order, seen)
            firsts[sort, order] = seen[0]
    assert firsts["due", ""] == "Zen"
    assert firsts["published", ""] == "1.712"
    assert firsts["title", ""] == "1.712"
    assert firsts["title", "desc"] == "Zen"
    assert firsts["created", "asc"] == firsts["number", "asc"] == "Đèo"
    assert firsts["number", ""] == firsts["modified", ""] == "1.712"
    assert (await titles(api, "sort=title"))[1:3] == ["Áo", "áo"]


def cursor_of(*parts: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(parts)).decode().rstrip("=")


OTHER_CURSORS = (
    "x",
    "é",
    cursor_of("title asc", "a", 1),
    cursor_of("modified asc", "2026-01-01T00:00:00+00:00", 1),
    cursor_of("modified desc", "hôm qua", 1),
    cursor_of("modified desc", 5, 1),
    cursor_of("modified desc", "2026-01-01T00:00:00+00:00", -1),
    cursor_of("modified desc", "2026-01-01T00:00:00+00:00", 2**63),
    cursor_of("modified desc", "2026-01-01T00:00:00+00:00"),
    cursor_of("modified desc", "2026-01-01T00:00:00+00:00", "1"),
    cursor_of("modified desc", "0001-01-01T00:00:00+14:00", 1),
    cursor_of("modified desc", None, 1),
    cursor_of({}),
    base64.urlsafe_b64encode(b"before:5").decode(),
)


async def test_list_with_cursor_of_another_order_is_refused(api: Any) -> None:
    """A cursor that was not made by this list in this order is an error, never a wrong page."""
    for cursor in OTHER_CURSORS:
        answer = await api.call("GET", f"/articles?sort=modified&cursor={quote(cursor)}", scope="read")
        assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "cursor"), (cursor, answer.body)
    assert (await api.call("GET", f"/articles?cursor={'A' * 801}", scope="read")).status == 422


async def test_list_rows_say_who_changed_them_when_and_when_they_are_due(api: Any) -> None:
    """Each row has who made the newest version; short rows have what a table shows, and no more."""
    article = await api.create("Bài", lead="Sapo")
    await api.call("PATCH", f"/articles/{article['id']}", {"version": 1, "lead": "x"}, "publish")
    await scheduled(api, "Hẹn", "2100-01-01T00:00:00Z")
    for fields in ("", "&fields=short"):
        answer = await api.call("GET", f"/articles?sort=title{fields}", scope="read")
        row, due = answer.json()["articles"]
        assert (row["changed_by"], row["changed_action"], row["due_at"]) == ("Người publish", "edit", None)
        assert row["changed_at"] == row["modified_at"]
        assert due["due_at"] == "2100-01-01T00:00:00Z"
        assert ("lead" in row) is not bool(fields)
        assert "body" not in row


async def test_list_of_several_states_own_articles_and_due_times(api: Any) -> None:
    """States add up; `mine` stays after another editor's change; a range of due times excludes its end."""
    mine = await api.create("Của tôi")
    other = await api.call(
        "POST", "/articles", {"site": "haihau", "section": "tin-tuc", "title": "Của biên tập"}, "publish"
    )
    await api.call("PATCH", f"/articles/{mine['id']}", {"version": 1, "lead": "x"}, "publish")
    await api.call("POST", f"/articles/{other.json()['id']}/submit", {}, "publish")
    await scheduled(api, "Một", "2100-01-01T00:00:00Z")
    await scheduled(api, "Hai", "2100-01-02T00:00:00Z")
    assert await titles(api, "state=draft") == ["Của tôi"]
    assert await titles(api, "state=draft&state=in_review") == ["Của biên tập", "Của tôi"]
    assert await titles(api, "mine=true", "write") == ["Hai", "Một", "Của tôi"]
    assert await titles(api, "mine=true", "publish") == ["Của biên tập", "Của tôi"]
    assert await titles(api, "mine=true", "read") == []
    assert await titles(api, "due_from=2100-01-01T00:00:00Z") == ["Hai", "Một"]
    assert await titles(api, "due_from=2100-01-01T00:00:00Z&due_to=2100-01-02T00:00:00Z") == ["Một"]
    assert await titles(api, "due_to=2100-01-02T00:00:00Z&sort=due") == ["Một"]
    assert await titles(api, "due_from=2101-01-01T00:00:00Z") == []
    answer = await api.call("GET", "/articles?due_from=2100-01-02T00:00:00Z&due_to=2100-01-01T00:00:00Z", scope="read")
    assert (answer.status, answer.json()["errors"][0]["field"]) == (422, "due_to")


async def test_counts_are_those_of_the_list_with_the_same_filters(api: Any) -> None:
    """Each state has its number, states without articles 0; filters apply as to the list."""
    for number in range(3):
        await api.create(f"Nháp {number}", section="tin-tuc" if number else "thong-bao")
    await scheduled(api, "Hẹn", "2100-01-01T00:00:00Z")
    counted = (await api.call("GET", "/articles/counts", scope="read")).json()
    assert (counted["total"], counted["counts"]["draft"], counted["counts"]["scheduled"]) == (4, 3, 1)
    assert (counted["counts"]["killed"], counted["sites"]) == (0, ["haihau"])
    for query, total in (
        ("section=thong-bao", 1),
        ("q=nhap", 3),
        ("q=khong-co-gi", 0),
        ("state=draft&state=killed", 3),
        ("mine=true", 0),
        ("due_from=2100-01-01T00:00:00Z", 1),
    ):
        counted = (await api.call("GET", f"/articles/counts?{query}", scope="read")).json()
        assert counted["total"] == total, query
    assert (await api.call("GET", "/articles/counts", scope=None)).status == 401
    assert (await api.call("GET", "/articles/counts?sort=title", scope="read")).status == 422


BODY = [
    {"type": "paragraph", "html": "Sáng nay bà con xã <em>Hải</em> Lý họp chợ<br>phiên bên bờ biển &amp; đê."},
    {"type": "heading", "html": "Kết luận của huyện"},
    {"type": "quote", "paragraphs": ["Chúng tôi rất vui"], "cite": None},
    {"type": "list", "items": [{"html": "mục đầu", "items": [{"html": "mục lồng sâu"}]}]},
    {"type": "table", "rows": [[{"html": "ô bảng"}]], "caption": "Chú thích bảng"},
]


SEARCHES = (
    ("tua de", True),
    ("Hải Lý", True),
    ("hai ly", True),
    ("HẢI LÝ", True),
    ('"xã hải lý"', True),
    ('"hai ly hop cho phien"', True),
    ('"lý hải"', False),
    ('"phiên bên bờ biển"', True),
    ('"bien de"', True),
    ("ket luan", True),
    ("chung toi vui", True),
    ("long sau", True),
    ('"mục lồng"', True),
    ("o bang", True),
    ("chu thich", True),
    ('"bảng chú thích"', False),
    ("hoa cuc", True),
    ("dac biet hoa", True),
    ("amp", False),
    ("em", False),
    ("br", False),
    ("paragraph", False),
    ("html", False),
    ("tin-tuc", False),
    ("hai l", True),
    ("hai l ", False),
    ("vui buon", False),
    ("sapo", True),
)


async def test_search_finds_words_of_title_lead_tags_and_text(api: Any) -> None:
    """Words are found with and without diacritics in either normal form; markup and field names are no words."""
    await api.create("Tựa đề", lead="Sapo ngắn", tags=["hoa cúc", "Đặc biệt"], body=BODY)
    for query, is_found in SEARCHES:
        for form in ("NFC", "NFD"):
            sent = quote(unicodedata.normalize(form, query))
            assert bool(await titles(api, f"q={sent}")) is is_found, (query, form)


async def test_search_of_a_huge_article_is_bounded(api: Any) -> None:
    """The words of the first 60,000 characters are searched; an article of half a megabyte is stored as before."""
    body = [{"type": "paragraph", "html": f"{'đoạn văn dài ' * 700} x{number}"} for number in range(40)]
    body.append({"type": "paragraph", "html": "y" * 5_000})
    await api.create("Dài", body=body)
    assert await titles(api, "q=x1") == ["Dài"]
    assert await titles(api, "q=x39") == []
    size = await api.context.pool.fetchval("SELECT max(pg_column_size(words)) FROM ingest.article_words")
    assert size < 20_000


async def test_search_follows_each_change_of_the_text(api: Any) -> None:
    """The words of the working version are searched, also after a restore; a change of the state keeps them."""
    article = await api.create("Cũ", body="<p>nội dung cũ</p>")
    path = f"/articles/{article['id']}"
    assert (await api.call("PATCH", path, {"version": 1, "body": "<p>văn bản mới</p>"})).status == 200
    assert await titles(api, "q=van+ban") == ["Cũ"]
    assert await titles(api, "q=noi+dung") == []
    assert (await api.call("POST", f"{path}/publish", {"version": 2}, "admin")).status == 200
    assert await titles(api, "q=van+ban") == ["Cũ"]
    assert (await api.call("POST", f"{path}/restore", {"version": 1})).status == 200
    assert await titles(api, "q=noi+dung") == ["Cũ"]
    assert (await api.call("PATCH", path, {"version": 4, "tags": ["lúa"], "title": "Khác"})).status == 200
    assert await titles(api, "q=lua+khac") == ["Khác"]


async def test_list_by_author_finds_the_former_name(api: Any) -> None:
    """After a rename or a merge, articles are found by the present name and by each one that bylines had."""
    await api.create("Một", authors=[{"name": "Lan Anh"}])
    await api.create("Hai", authors=[{"name": "Lan Anh (NB)"}])
    assert (await api.call("POST", "/authors", {"name": "Lan Anh"}, "admin")).status == 201
    sent = {"name": "Trần Lan Anh"}
    assert (await api.call("PATCH", "/authors/lan-anh", sent, "admin", if_match="*")).status == 200
    merged = await api.call("POST", "/authors/lan-anh-nb/merge", {"into": "tran-lan-anh"}, "admin")
    assert merged.status == 200, merged.body
    for name in ("Trần Lan Anh", "Lan Anh", "Lan Anh (NB)"):
        found = (await api.call("GET", f"/articles?author={quote(name)}", scope="read")).json()["articles"]
        assert [(one["title"], one["authors"][0]["name"]) for one in found] == [
            ("Hai", "Trần Lan Anh"),
            ("Một", "Trần Lan Anh"),
        ]
        counted = (await api.call("GET", f"/articles/counts?author={quote(name)}", scope="read")).json()
        assert counted["total"] == 2
    for filters in ("section=a%0Atin-tuc", "tag=a%0Ab", "author=a%0ALan%20Anh"):
        assert (await api.call("GET", f"/articles?{filters}", scope="read")).json()["articles"] == [], filters


async def test_having_finds_live_refused_and_failed_articles(api: Any) -> None:
    """An article with a draft above its public version is live; a refused one is until a version is approved."""
    live, refused = await api.create("Đang đăng"), await api.create("Trả lại")
    for article in (live, refused):
        await api.call("POST", f"/articles/{article['id']}/submit")
    await api.call("POST", f"/articles/{live['id']}/approve", {"version": 2}, "publish")
    assert (await api.call("POST", f"/articles/{live['id']}/publish", {"version": 3}, "publish")).status == 200
    assert (await api.call("PATCH", f"/articles/{live['id']}", {"version": 4, "lead": "x"})).status == 200
    await api.call("POST", f"/articles/{refused['id']}/refuse", {"reason": "thiếu nguồn"}, "publish")
    assert await titles(api, "having=live") == ["Đang đăng"]
    assert await titles(api, "having=refusal&state=draft") == ["Trả lại"]
    assert await titles(api, "having=live&having=refusal") == []
    assert await titles(api, "having=problem") == []
    counted = (await api.call("GET", "/articles/counts?having=live", None, "read")).json()
    assert (counted["total"], counted["counts"]["draft"]) == (1, 1)
