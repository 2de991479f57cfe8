"""What is taken over from the topics brings the rows of its images and files along."""

import io
from typing import Any

import asyncpg
import msgspec
import pytest
from PIL import Image as Picture

from services.ingest.articles.structure_recovery import take_over_structures
from services.ingest.articles.topic_recovery import TopicRecovery
from shared.articles import Article
from tests.ingest.articles.test_structure_recovery import record
from tests.ingest.files.samples import pdf

FORGOTTEN = "TRUNCATE ingest.media_crops, ingest.media, ingest.files, ingest.articles, ingest.static_pages CASCADE"


async def uploaded(api: Any, path: str, content: bytes) -> dict[str, Any]:
    answer = await api.call("POST", path, content, content_type="application/octet-stream")
    assert answer.status == 201, answer.body
    return dict(answer.json())


@pytest.fixture
async def blocks(api: Any) -> dict[str, Any]:
    """An image and a file, as an article names them."""
    output = io.BytesIO()
    Picture.linear_gradient("L").resize((600, 300)).save(output, "PNG")
    image = await uploaded(api, "/media?focus_x=0.25&focus_y=0.5", output.getvalue())
    file = await uploaded(api, "/files?file_name=ngh%E1%BB%8B-quy%E1%BA%BFt.pdf", pdf(b"<<>>"))
    return {
        "figure": {"type": "figure", "caption": "Ảnh", "image": {"media": image["id"], "alt": "Chợ"}},
        "file": {"type": "file", "media": file["id"], "name": "Nghị quyết số 12"},
    }


async def messages(pool: asyncpg.Pool, topic: str) -> list[Any]:
    rows = await pool.fetch("SELECT value FROM ingest.outbox WHERE topic = $1 ORDER BY id", topic)
    return [row["value"] for row in rows]


async def forget(database: str) -> None:
    """Lose all articles, pages, images and files, as a database does that was made again."""
    owner = await asyncpg.connect(database)
    await owner.execute(FORGOTTEN)
    await owner.close()


async def test_article_that_was_taken_over_can_be_edited_with_its_images_and_files(
    api: Any, pool: asyncpg.Pool, database: str, blocks: dict[str, Any]
) -> None:
    """Its images and files are in the library again, with renditions, crops and names, and a fix is published."""
    sent = {"lead_image": blocks["figure"], "body": [blocks["file"], {"type": "paragraph", "html": "Thân bài."}]}
    article = await api.create("Bài có ảnh và tệp", **sent)
    path = f"/articles/{article['id']}"
    assert (await api.call("POST", f"{path}/publish", {"version": 1}, "admin")).status == 200
    before = (await api.call("GET", f"/articles/{article['id']}", scope=None)).json()
    (value,) = await messages(pool, "articles")
    await forget(database)
    async with pool.acquire() as connection:
        reader: Any = None
        await TopicRecovery(connection, reader)._take_over([msgspec.json.decode(value, type=Article)])
    version = (await api.call("GET", path, scope="read")).json()["version"]
    edited = await api.call("PATCH", path, {"version": version, "title": "Bài đã sửa"})
    assert edited.status == 200, edited.body
    fixed = await api.call("PATCH", f"{path}/live", {"lead": "Sapo đã sửa."}, "admin", if_match=f'"{version}"')
    assert fixed.status == 200, fixed.body
    after = (await api.call("GET", f"/articles/{article['id']}", scope=None)).json()
    assert after["lead"] == "Sapo đã sửa."
    assert {name: after[name] for name in ("lead_image", "body")} == {
        name: before[name] for name in ("lead_image", "body")
    }
    media = (await api.call("GET", "/media")).json()["media"]
    assert [one["crops"] for one in media] == [before["lead_image"]["image"]["crops"]]
    files = (await api.call("GET", "/files")).json()["files"]
    assert [(one["name"], len(one["used_in"])) for one in files] == [("nghi-quyet.pdf", 1)]


async def test_page_and_author_that_were_taken_over_keep_their_images_and_files(
    api: Any, pool: asyncpg.Pool, database: str, blocks: dict[str, Any]
) -> None:
    """A static page with a file and an author with a photo are published and changed again."""
    photo = {"media": blocks["figure"]["image"]["media"], "alt": "Chân dung"}
    added = await api.call("POST", "/authors", {"name": "Trần Hoa", "photo": photo}, "publish")
    assert added.status == 201, added.body
    body = [blocks["file"], blocks["figure"]]
    page = (await api.call("POST", "/pages", {"title": "Tài liệu", "body": body}, "publish")).json()
    assert (await api.call("POST", f"/pages/{page['id']}/publish", {}, "publish", if_match="*")).status == 200
    records = [record(value) for value in await messages(pool, "site-structure")]
    await forget(database)
    owner = await asyncpg.connect(database)
    await owner.execute("DELETE FROM ingest.site_structures")
    await owner.close()
    async with pool.acquire() as connection:
        await take_over_structures(connection, records, {})
    edited = await api.call("PATCH", f"/pages/{page['id']}", {"title": "Tài liệu mới"}, "publish", if_match="*")
    assert edited.status == 200, edited.body
    shown = await api.call("POST", f"/pages/{page['id']}/publish", {}, "publish", if_match="*")
    assert shown.status == 200, shown.body
    changed = await api.call("PATCH", "/authors/tran-hoa", {"photo": photo}, "publish", if_match="*")
    assert changed.status == 200, changed.body
