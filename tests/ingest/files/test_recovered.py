"""Files that a recovery has found in articles, and that are uploaded again."""

from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.articles.topic_recovery import TopicRecovery
from shared.articles import Article
from tests.ingest.articles.test_library_recovery import forget, messages, uploaded
from tests.ingest.files.samples import pdf


@pytest.mark.parametrize("has_size", [True, False])
async def test_recovered_file_that_is_uploaded_again_is_the_same(
    api: Any, pool: asyncpg.Pool, database: str, has_size: bool
) -> None:
    """A recovered file has the checksum of its content, so that no second one is stored, and can be downloaded."""
    stored = await uploaded(api, "/files", pdf())
    article = await api.create("Có tệp", body=[stored["block"]])
    path = f"/articles/{article['id']}"
    assert (await api.call("POST", f"{path}/publish", {"version": 1}, "admin")).status == 200
    (value,) = await messages(pool, "articles")
    taken = msgspec.json.decode(value, type=Article)
    if not has_size:
        body: list[Any] = [msgspec.structs.replace(taken.body[0], bytes=None)]
        taken = msgspec.structs.replace(taken, body=body)
    await forget(database)
    async with pool.acquire() as connection:
        reader: Any = None
        await TopicRecovery(connection, reader)._take_over([taken])
    content = await api.call("GET", f"/files/{stored['id']}/content", scope="read")
    assert (content.body, content.headers["content-length"]) == (pdf(), str(len(pdf())))
    await uploaded(api, "/files", pdf(b"<</Lang(vi)>>"))
    again = await api.call("POST", "/files", pdf(), content_type="application/octet-stream")
    assert (again.status, again.json()["id"], again.json()["bytes"]) == (200, stored["id"], len(pdf()))
