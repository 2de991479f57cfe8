"""`/api/authors`: profiles with pages, bylines without, rename, merge and removal."""

from typing import Any

import pytest


async def add(api: Any, **fields: Any) -> Any:
    return await api.call("POST", "/authors", fields, "publish")


async def test_author_with_a_page_has_articles_of_its_name(api: Any) -> None:
    """Bylines come first without a page; a profile takes all articles of its name, whatever their spelling."""
    await api.create("Một", authors=["Nguyễn Văn A"])
    await api.create("Hai", authors=["nguyen van a", "Lan"])
    before = (await api.call("GET", "/authors", scope="read")).json()["authors"]
    assert [(one["slug"], one["version"], one["url"]) for one in before] == [
        ("nguyen-van-a", 0, None),
        ("lan", 0, None),
    ]
    made = await add(api, name="Nguyễn Văn A", bio="Dòng một\nDòng hai", email="a@x.vn")
    assert made.status == 201, made.body
    assert made.json()["articles"] == 2
    assert made.json()["url"] == "https://haihau.example/tac-gia/nguyen-van-a/"
    assert (await add(api, name="Nguyen Van A")).status == 409
    assert (await api.create("Ba", authors=["NGUYEN VAN A"]))["authors"][0]["name"] == "Nguyễn Văn A"


async def test_renamed_and_merged_authors_are_one(api: Any) -> None:
    """Former names lead to the author; a merge needs a page to merge into; a removed page leaves the bylines."""
    await api.create("Một", authors=["N.V.A"])
    made = await add(api, name="Nguyễn Văn A")
    merged = await api.call("POST", "/authors/n-v-a/merge", {"into": "nguyen-van-a"}, "publish")
    assert (merged.status, merged.json()["articles"], merged.json()["former_slugs"]) == (200, 1, ["n-v-a"])
    stale = await api.call("PATCH", "/authors/nguyen-van-a", {"bio": "x"}, "publish", if_match='"7"')
    assert stale.status == 412
    sent = {"name": "Nguyễn A", "email": "", "role": "Phóng viên"}
    renamed = await api.call("PATCH", "/authors/nguyen-van-a", sent, "publish", if_match=made.headers["etag"])
    assert renamed.status == 200, renamed.body
    assert sorted(renamed.json()["former_slugs"]) == ["n-v-a", "nguyen-van-a"]
    assert (await api.call("POST", "/authors/nguyen-a/merge", {"into": "lan"}, "publish")).status == 404
    removed = await api.call("DELETE", "/authors/nguyen-a", scope="publish", if_match="*")
    assert removed.status == 204
    left = (await api.call("GET", "/authors/n-v-a", scope="read")).json()
    assert (left["name"], left["version"], left["articles"]) == ("N.V.A", 0, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "!!!"},
        {"name": ""},
        {"name": "x" * 151},
        {"name": "a", "email": "a"},
        {"name": "a", "email": "a@b"},
        {"name": "a", "email": "a b@c.vn"},
        {"name": "a", "email": "a@b.vn\r\nBcc: x@y.vn"},
        {"name": "a", "email": '"><script>@x.vn'},
        {"name": "a", "bio": "x" * 2_001},
        {"name": "a", "bio": "\u202e"},
        {"name": "a", "role": "x" * 61},
        {"name": "a", "photo": {"media": "0" * 64, "alt": "x"}},
        {"name": "a", "photo": {"url": "/media/khong-co.jpg"}},
        {"name": "a", "photo": {"url": "javascript:alert(1)"}},
        {"name": "a", "slug": "b"},
        {"name": ["a"]},
        {},
    ],
)
async def test_hostile_profiles_are_refused(api: Any, fields: dict[str, Any]) -> None:
    """Addresses are addresses, photos are in the media library, and nothing else is accepted."""
    assert (await add(api, **fields)).status == 422
