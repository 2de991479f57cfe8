"""`/api/tags`: counts, search in any spelling, rename and merge, and hostile names."""

from typing import Any

import pytest


async def test_tags_are_listed_by_use_and_found_in_any_spelling(api: Any) -> None:
    """The most used come first; a search needs neither diacritics nor one Unicode form; pages follow one another."""
    await api.create("Một", tags=["Nam Định", "Lúa"])
    await api.create("Hai", tags=["nam dinh"])
    listed = (await api.call("GET", "/tags", scope="read")).json()
    assert [(one["slug"], one["articles"], one["version"]) for one in listed["tags"]] == [
        ("nam-dinh", 2, 0),
        ("lua", 1, 0),
    ]
    for query in ("nam", "Nam%20%C4%90%E1%BB%8Bnh", "Nam%20%C4%90i%CC%A3nh", "dinh%20nam"):
        found = (await api.call("GET", f"/tags?q={query}", scope="read")).json()["tags"]
        assert [one["slug"] for one in found] == ["nam-dinh"], query
    first = (await api.call("GET", "/tags?limit=1", scope="read")).json()
    second = (await api.call("GET", f"/tags?limit=1&cursor={first['next']}", scope="read")).json()
    assert [one["slug"] for one in second["tags"]] == ["lua"]
    assert (await api.call("GET", "/tags?q=khong", scope="read")).json()["tags"] == []


async def test_renamed_tag_keeps_articles_and_normalises_later_ones(api: Any) -> None:
    """A tag that only articles name can be renamed; what is written with a former name gets the present one."""
    await api.create("Một", tags=["Ruộng"])
    renamed = await api.call("PATCH", "/tags/ruong", {"name": "Đất"}, "publish", if_match='"0"')
    assert renamed.status == 200, renamed.body
    assert (renamed.json()["slug"], renamed.json()["former_slugs"], renamed.json()["articles"]) == ("dat", ["ruong"], 1)
    later = await api.create("Hai", tags=["ruong", "dat", "Lúa"])
    assert later["tags"] == ["Đất", "Lúa"]
    spelled = await api.call("PATCH", "/tags/dat", {"name": "ĐẤT"}, "publish", if_match=renamed.headers["etag"])
    assert (spelled.json()["name"], spelled.json()["articles"]) == ("ĐẤT", 2)
    old = await api.call("PATCH", "/tags/dat", {"name": "Đất đai"}, "publish", if_match=renamed.headers["etag"])
    assert old.status == 412
    assert (await api.call("GET", "/tags/ruong", scope="read")).json()["slug"] == "dat"


async def test_merged_tags_count_an_article_once(api: Any) -> None:
    """Into a tag that only articles name, too; one that is merged cannot be merged again."""
    await api.create("Một", tags=["Ruộng", "Đất"])
    merged = await api.call("POST", "/tags/ruong/merge", {"into": "dat"}, "publish")
    assert merged.status == 200, merged.body
    assert (merged.json()["name"], merged.json()["articles"]) == ("Đất", 1)
    for slug, into, status in (("ruong", "dat", 404), ("dat", "dat", 409), ("dat", "khong-co", 404), ("x", "dat", 404)):
        refused = await api.call("POST", f"/tags/{slug}/merge", {"into": into}, "publish")
        assert refused.status == status, (slug, into, refused.body)
    taken = await api.call("PATCH", "/tags/dat", {"name": "ruộng"}, "publish", if_match="*")
    assert taken.json()["slug"] == "ruong", "its own former name may be taken again"


@pytest.mark.parametrize(
    "name",
    ["", "  ", "!!!", "…", "\u202eabc", "a\u0000", "x" * 61, "😀", "\u200b", "a" * 300, "\ud800", None, 5, ["a"]],
)
async def test_hostile_tag_names_are_refused(api: Any, name: Any) -> None:
    """A tag has a letter or a digit, and no more characters than articles may have."""
    await api.create("Một", tags=["Ruộng"])
    assert (await api.call("PATCH", "/tags/ruong", {"name": name}, "publish", if_match="*")).status == 422


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "{{ x }}", "a/b", "Nam\u0301", "C++", "%00", "a' OR 1=1 --"]
)
async def test_odd_tag_names_are_texts(api: Any, name: str) -> None:
    """They are stored as they are, in one Unicode form, and have a harmless slug."""
    await api.create("Một", tags=["Ruộng"])
    renamed = await api.call("PATCH", "/tags/ruong", {"name": name}, "publish", if_match="*")
    assert renamed.status == 200, renamed.body
    assert (await api.call("GET", f"/tags/{renamed.json()['slug']}", scope="read")).status == 200
