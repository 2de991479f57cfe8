"""`/api/sections`: add, change, rename, merge and remove, by several editors at once, and with hostile names."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.auth.tokens import create
from shared.site_structure import SiteStructure


async def latest(pool: asyncpg.Pool, site: str = "haihau") -> SiteStructure:
    """Return the last structure in the outbox."""
    rows = await pool.fetch(
        "SELECT value FROM ingest.outbox WHERE topic = 'site-structure' AND key = $1 ORDER BY id", site
    )
    return msgspec.json.decode(rows[-1]["value"], type=SiteStructure)


async def add(api: Any, name: str, **fields: Any) -> Any:
    return await api.call("POST", "/sections", {"name": name, **fields}, "admin")


async def etag(api: Any, slug: str) -> str:
    return str((await api.call("GET", f"/sections/{slug}", scope="read")).headers["etag"])


async def test_added_section_takes_articles_at_once(api: Any, pool: asyncpg.Pool) -> None:
    """A section is known to the validation of articles as soon as it is added, and travels in one message."""
    added = await add(api, "Văn hóa – Xã hội", position=0, description="Lễ hội")
    assert added.status == 201, added.body
    assert added.json()["slug"] == "van-hoa-xa-hoi"
    assert added.headers["location"] == "/api/sections/van-hoa-xa-hoi?site=haihau"
    await api.create("Bài", section="van-hoa-xa-hoi")
    assert [one.slug for one in (await latest(pool)).sections] == ["van-hoa-xa-hoi", "tin-tuc", "thong-bao"]
    listed = (await api.call("GET", "/sections", scope="read")).json()["sections"][0]
    assert (listed["articles"], listed["public_articles"], listed["url"]) == (
        1,
        0,
        "https://haihau.example/van-hoa-xa-hoi/",
    )


async def test_renamed_section_keeps_its_articles_under_the_new_slug(api: Any, pool: asyncpg.Pool) -> None:
    """The former slug leads to the section, and what is written with it is stored with the new one."""
    article = await api.create("Bài", section="tin-tuc")
    version, sent = await etag(api, "tin-tuc"), {"slug": "thoi-su", "name": "Thời sự"}
    renamed = await api.call("PATCH", "/sections/tin-tuc", sent, "admin", if_match=version)
    assert renamed.status == 200, renamed.body
    assert renamed.json()["former_slugs"] == ["tin-tuc"]
    assert renamed.json()["articles"] == 1
    assert (await latest(pool)).section_aliases == {"tin-tuc": "thoi-su"}
    later = await api.create("Bài sau", section="tin-tuc", also_in=["thong-bao", "tin-tuc"])
    assert (later["section"], later["also_in"]) == ("thoi-su", ["thong-bao"])
    edited = await api.call("PATCH", f"/articles/{article['id']}", {"lead": "x", "version": 1})
    assert edited.json()["section"] == "thoi-su"
    found = await api.call("GET", "/sections/tin-tuc", scope="read")
    assert found.json()["slug"] == "thoi-su"


async def test_merged_sections_have_all_articles_and_one_message(api: Any, pool: asyncpg.Pool) -> None:
    """An article in both counts once; the merged slug cannot be merged again."""
    await api.create("Một", section="tin-tuc", also_in=["thong-bao"])
    await api.create("Hai", section="thong-bao")
    version = await etag(api, "thong-bao")
    before = await pool.fetchval("SELECT count(*) FROM ingest.outbox")
    sent = {"into": "tin-tuc"}
    merged = await api.call("POST", "/sections/thong-bao/merge", sent, "admin", if_match=version)
    assert merged.status == 200, merged.body
    assert merged.json()["articles"] == 2
    assert await pool.fetchval("SELECT count(*) FROM ingest.outbox") == before + 1
    again = await api.call("POST", "/sections/thong-bao/merge", {"into": "tin-tuc"}, "admin", if_match="*")
    assert again.status == 404
    itself = await api.call("POST", "/sections/tin-tuc/merge", {"into": "tin-tuc"}, "admin", if_match="*")
    assert itself.status == 409


async def test_section_with_articles_is_not_removed(api: Any) -> None:
    """The refusal has the number of articles; an empty section goes, and its slug is free again."""
    await api.create("Bài", section="tin-tuc")
    refused = await api.call("DELETE", "/sections/tin-tuc", scope="admin", if_match="*")
    assert (refused.status, refused.json()["articles"]) == (409, 1)
    assert (await api.call("GET", "/sections/tin-tuc", scope="read")).status == 200
    removed = await api.call("DELETE", "/sections/thong-bao", scope="admin", if_match=await etag(api, "thong-bao"))
    assert removed.status == 204
    assert (await api.call("GET", "/sections/thong-bao", scope="read")).status == 404
    assert (await add(api, "Thông báo")).status == 201


async def test_slug_given_up_is_reused_only_when_no_article_has_it(api: Any) -> None:
    """Its articles would move with it: first they must be edited."""
    article = await api.create("Bài", section="tin-tuc")
    await api.call("PATCH", "/sections/tin-tuc", {"slug": "thoi-su"}, "admin", if_match="*")
    plain = await add(api, "Tin tức")
    assert (plain.status, plain.json()["stands_for"]) == (409, "thoi-su")
    early = await add(api, "Tin tức", reuse=True)
    assert (early.status, early.json()["articles"]) == (409, 1)
    await api.call("PATCH", f"/articles/{article['id']}", {"lead": "x", "version": 1})
    assert (await add(api, "Tin tức", reuse=True)).status == 201
    assert (await api.call("GET", "/sections/thoi-su", scope="read")).json()["articles"] == 1


async def test_two_editors_of_one_section_get_412(api: Any) -> None:
    """Of two changes of one version, the second one is refused with the version that is there now."""
    version = await etag(api, "tin-tuc")
    first, second = await asyncio.gather(
        *(
            api.call("PATCH", "/sections/tin-tuc", {"name": f"Tên {number}"}, "publish", if_match=version)
            for number in (1, 2)
        )
    )
    assert sorted([first.status, second.status]) == [200, 412]
    refused = first if first.status == 412 else second
    assert refused.headers["etag"] == await etag(api, "tin-tuc")
    none = await api.call("PATCH", "/sections/tin-tuc", {"name": "Không"}, "publish")
    assert none.status == 428
    odd = await api.call("PATCH", "/sections/tin-tuc", {"name": "Không"}, "publish", if_match='"x"')
    assert odd.status == 400


async def test_concurrent_changes_of_a_site_are_all_kept(api: Any, pool: asyncpg.Pool) -> None:
    """Editors who add sections at the same moment lose nothing, and the last message has them all."""
    done = await asyncio.gather(*(add(api, f"Mục {number}") for number in range(8)))
    assert [one.status for one in done] == [201] * 8
    structure = await latest(pool)
    assert len(structure.sections) == 10
    versions = [one.version for one in structure.sections[2:]]
    assert len(set(versions)) == 8


async def test_changes_that_wait_for_a_lock_leave_connections_to_others(
    api: Any, pool: asyncpg.Pool, database: str
) -> None:
    """While changes of a site by many editors wait for each other, another editor logs in and reads at once."""
    await add(api, "Đầu tiên")
    tokens = [await create(pool, name=f"Biên tập {number}", scopes=["publish"]) for number in range(9)]
    other = await asyncpg.connect(database)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM ingest.site_structures FOR UPDATE")
            tasks = [
                asyncio.create_task(
                    api.call(
                        "POST", "/sections", {"name": f"Mục {number}"}, scope=None, authorization=f"Bearer {token}"
                    )
                )
                for number, token in enumerate(tokens[1:])
            ]
            await asyncio.sleep(0.3)
            read = await api.call("GET", "/sections", scope=None, authorization=f"Bearer {tokens[0]}")
            assert read.status == 200, read.body
            assert not any(task.done() for task in tasks)
    finally:
        await other.close()
    assert [(await task).status for task in tasks] == [201] * 8


async def test_repeated_post_with_a_key_adds_once(api: Any) -> None:
    """The same Idempotency-Key returns the same response, and there is one section."""
    first = await api.call("POST", "/sections", {"name": "Mới"}, "publish", idempotency_key="k1")
    second = await api.call("POST", "/sections", {"name": "Mới"}, "publish", idempotency_key="k1")
    assert (first.status, second.status) == (201, 201)
    assert first.body == second.body
    assert second.headers["idempotent-replayed"] == "true"


async def test_rename_needs_the_scope_admin_and_is_audited(api: Any, pool: asyncpg.Pool) -> None:
    """A publisher changes a name, not an address; the audit log says who did what."""
    refused = await api.call("PATCH", "/sections/tin-tuc", {"slug": "khac"}, "publish", if_match="*")
    assert (refused.status, refused.json()["missing_scope"]) == (403, "admin")
    await api.call("PATCH", "/sections/tin-tuc", {"slug": "khac"}, "admin", if_match="*")
    row = await pool.fetchrow("SELECT * FROM ingest.audit_log WHERE object_kind = 'section'")
    assert (row["action"], row["object_id"], row["site"]) == ("rename", "khac", "haihau")
    assert msgspec.json.decode(row["details"])["former_slug"] == "tin-tuc"
    assert row["who"] == "Người admin"


HOSTILE = [
    ("Đất", 201, "dat"),
    ("Dat", 201, "dat"),
    ("Đất", 201, "dat"),
    ("  Thể   thao  ", 201, "the-thao"),
    ("<b>Đậm</b>", 201, "b-dam-b"),
    ('"><script>alert(1)</script>', 201, "script-alert-1-script"),
    ("Tin\u202etức", 422, None),
    ("Tin\u0000tức", 422, None),
    ("\ud83d\ude00", 422, None),
    ("😀", 422, None),
    ("", 422, None),
    ("   ", 422, None),
    ("x" * 80, 201, "x" * 60),
    ("x" * 81, 422, None),
    ("Ế" * 80, 201, "e" * 60),
    ("ế" * 300, 422, None),
    ("API", 409, None),
    ("Trang", 409, None),
    ("Tác giả", 409, None),
    ("stats", 409, None),
    ("日本語", 201, "ri-ben-yu"),
    ("../../etc", 201, "etc"),
    ("%2e%2e", 201, "2e-2e"),
    ("a\u200bb", 201, "ab"),
    ("{{7*7}}", 201, "7-7"),
]


@pytest.mark.parametrize(("name", "status", "slug"), HOSTILE, ids=[f"{n}" for n in range(len(HOSTILE))])
async def test_hostile_section_names_are_refused_or_harmless(
    api: Any, name: str, status: int, slug: str | None
) -> None:
    """Names are text, in one Unicode form; their slugs are letters, digits and hyphens, and never a reserved path."""
    added = await add(api, name)
    assert added.status == status, added.body
    if slug is not None:
        assert added.json()["slug"] == slug
        assert (await api.call("GET", f"/sections/{slug}", scope="read")).status == 200


async def test_names_that_differ_in_diacritics_only_collide(api: Any) -> None:
    """The names Đất and Dat have one slug: the second is refused, and the response names the first."""
    assert (await add(api, "Đất")).status == 201
    refused = await add(api, "Dat")
    assert refused.status == 409
    assert "Đất" in refused.json()["detail"]
    assert (await add(api, "Dat", slug="dat-2")).status == 201


@pytest.mark.parametrize("slug", ["Dat", "a--b", "-a", "a-", "a b", "đất", "a/b", "", "x" * 61, "a\n"])
async def test_hostile_section_slugs_are_refused(api: Any, slug: str) -> None:
    """A slug that is sent must be one already."""
    assert (await add(api, "Tên", slug=slug)).status == 422


async def test_two_sites_with_the_same_slugs_are_apart(tenants: Any, pool: asyncpg.Pool) -> None:
    """A rename on one site changes nothing on the other one."""
    await tenants.create("Bài", site="giao-thuy", section="tin-tuc")
    done = await tenants.call("PATCH", "/sections/tin-tuc?site=haihau", {"slug": "thoi-su"}, "admin", if_match="*")
    assert done.status == 200
    other = (await tenants.call("GET", "/sections?site=giao-thuy", scope="read")).json()
    assert [(one["slug"], one["articles"]) for one in other["sections"]] == [("tin-tuc", 1), ("bien-dong", 0)]
    await tenants.create("Bài", site="giao-thuy", section="tin-tuc")
    assert (await latest(pool)).site == "haihau"


async def test_articles_are_shown_and_filtered_under_the_present_names(api: Any) -> None:
    """Lists, articles, ninjs and public lists have the new section and tag at once; filters know both names."""
    made = await api.create("Bài", section="tin-tuc", tags=["Ruộng"])
    path = f"/articles/{made['id']}"
    for number, step in enumerate(("submit", "approve", "publish"), 1):
        assert (await api.call("POST", f"{path}/{step}", {"version": number}, "publish")).status == 200
    await api.call("PATCH", "/sections/tin-tuc", {"slug": "thoi-su", "name": "Thời sự"}, "admin", if_match="*")
    await api.call("PATCH", "/tags/ruong", {"name": "Đất"}, "publish", if_match="*")
    for scope in ("read", None):
        shown = (await api.call("GET", path, scope=scope)).json()
        assert (shown["section"], shown["tags"]) == ("thoi-su", ["Đất"])
        for query in ("section=thoi-su", "section=tin-tuc", "tag=%C4%90%E1%BA%A5t", "tag=Ru%E1%BB%99ng"):
            listed = (await api.call("GET", f"/articles?{query}", scope=scope)).json()["articles"]
            assert [(one["section"], one["tags"]) for one in listed] == [("thoi-su", ["Đất"])], (scope, query)
        assert (await api.call("GET", "/articles?section=thong-bao", scope=scope)).json()["articles"] == []
    old = await api.call("GET", path, scope="read", if_none_match='"4"')
    assert old.status == 200, "a client that has the former section gets the new one"
    ninjs = (await api.call("GET", f"{path}.ninjs", scope=None)).json()
    assert ninjs["subjects"][0] == {"name": "Thời sự", "code": "thoi-su"}


async def test_rights_stay_with_a_section_whose_slug_is_used_again(newsroom: Any) -> None:
    """Somebody of the renamed section keeps it, and gets no rights in the new one that has its former slug."""
    api = newsroom.api
    writer = await newsroom.browser("write:haihau:tin-tuc")
    both = await newsroom.browser("write:haihau:tin-tuc", "write:haihau:thoi-su")
    sent = {"slug": "thoi-su", "name": "Thời sự"}
    assert (await api.call("PATCH", "/sections/tin-tuc?site=haihau", sent, "admin", if_match="*")).status == 200
    await api.create("Của tôi", section="thoi-su")
    made = await add(api, "Tin tức", site="haihau", reuse=True)
    assert made.status == 201, made.body
    await api.create("Của người khác", section="tin-tuc")
    for browser in (writer, both):
        listed = (await browser.call("GET", "/articles")).json()["articles"]
        assert [one["title"] for one in listed] == ["Của tôi"]


async def test_slug_that_nothing_has_is_not_merged(api: Any) -> None:
    """An alias of a typing error, or of a path of the installation, would take up a slug for good."""
    for slug in ("khong-co", "api"):
        refused = await api.call("POST", f"/sections/{slug}/merge", {"into": "tin-tuc"}, "admin", if_match="*")
        assert refused.status == 404, slug
    assert (await api.call("GET", "/sections/tin-tuc", scope="read")).json()["former_slugs"] == []
