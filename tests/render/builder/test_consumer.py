"""One message of `articles`: what is stored, reported on `pages-live`, and sent to the dead-letter topic."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from services.render.builder.consumer import Builder
from shared.events import PageLive
from shared.kafka.database_consumer import transactions
from shared.sites import Sites
from shared.topics import PAGES_LIVE

URL = "https://haihau.example"


class Producer:
    """Keeps what is sent instead of Kafka."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None]] = []

    async def send(self, topic: str, value: bytes | None, **_: Any) -> None:
        self.sent.append((topic, value))

    @property
    def live(self) -> list[PageLive]:
        return [
            msgspec.json.decode(value or b"", type=PageLive) for topic, value in self.sent if topic == PAGES_LIVE.name
        ]

    @property
    def dead_letters(self) -> list[bytes | None]:
        return [value for topic, value in self.sent if topic.endswith(".dlq")]


def record(key: str, value: bytes | None) -> Any:
    return SimpleNamespace(topic="articles", partition=0, offset=0, key=key.encode(), value=value, headers=())


async def consume(portal: Any, key: str, value: bytes | None) -> Producer:
    producer = Producer()
    builder = Builder(portal.pool, producer, Sites({portal.site.slug: portal.site}))  # type: ignore[arg-type]
    await builder.on_article(transactions(portal.pool), record(key, value))
    assert builder.not_ready() == []
    return producer


async def test_on_article_reports_the_stored_version_live(portal: Any) -> None:
    """A version is reported with its URL, again after a redelivery; an older one is not; a tombstone withdraws."""
    article = portal.article(1, version=2)
    value = msgspec.json.encode(article)
    for _ in range(2):
        (live,) = (await consume(portal, "a-1", value)).live
        assert (live.article, live.version, live.status, live.url) == ("a-1", 2, "live", f"{URL}/bai-so-1-1.html")
    older = msgspec.json.encode(msgspec.structs.replace(article, version=1))
    assert (await consume(portal, "a-1", older)).sent == []
    (gone,) = (await consume(portal, "a-1", None)).live
    assert (gone.version, gone.status, gone.url) == (2, "withdrawn", None)
    assert (await consume(portal, "a-1", None)).sent == []


@pytest.mark.parametrize("reason", ["unknown-site", "cannot-be-rendered", "DecodeError"])
async def test_on_article_that_cannot_be_rendered_reports_failed(
    portal: Any, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    """The message goes to the dead-letter topic as it is, and its editors get the reason if it has a version."""
    article = portal.article(1, version=3, site="elsewhere" if reason == "unknown-site" else portal.site.slug)
    value = b'{"version": 3' if reason == "DecodeError" else msgspec.json.encode(article)
    if reason == "cannot-be-rendered":
        monkeypatch.setattr("services.render.builder.consumer.render_article", lambda *_: 1 / 0)
    producer = await consume(portal, "a-1", value)
    assert producer.dead_letters == [value]
    if reason == "DecodeError":
        assert producer.live == []
    else:
        (failed,) = producer.live
        assert (failed.status, failed.version, failed.url) == ("failed", 3, None)
        assert reason in (failed.reason or "")
    assert await portal.pool.fetchval("SELECT count(*) FROM render.articles") == 0
