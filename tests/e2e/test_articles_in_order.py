"""Committed articles reach Kafka, all of them and in order, while the ingest process is killed repeatedly."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections import defaultdict
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.ingest.articles.outbox_relay import TRANSACTIONAL_ID
from shared.articles import Article

ROOT = Path(__file__).parent.parent.parent
KILLS = 5
WRITERS = 4


class Writer(threading.Thread):
    """Edits and publishes one article until stopped, through kills of the server."""

    def __init__(self, editors: Any, number: int, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.editors, self.number, self.stop = editors, number, stop
        self.article = ""
        self.acknowledged: list[int] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            given = {"site": "haihau", "section": "tin-tuc", "title": f"Bài {self.number}", "body": "<p>0</p>"}
            self.article = self.post("/articles", given)["id"]
            attempt = 0
            while not self.stop.is_set():
                attempt += 1
                edited = {"version": self.edit(f"<p>Lần {attempt} của bài {self.number}</p>")}
                self.acknowledged.append(self.post(f"/articles/{self.article}/publish", edited)["version"])
        except BaseException as error:  # noqa: BLE001 - reported by the test
            self.error = error

    def call(self, *arguments: Any, **headers: str) -> Any:
        while True:
            try:
                answer = self.editors.call(*arguments, "admin", **headers)
            except OSError:
                time.sleep(0.1)
                continue
            if answer.status < 500:
                return answer
            assert answer.status in (502, 503), answer.text
            time.sleep(0.1)

    def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = self.call("POST", path, body, idempotency_key=str(uuid.uuid4()))
        assert answer.status in (200, 201), answer.text
        return dict(answer.json())

    def edit(self, body: str) -> int:
        while True:
            version = self.call("GET", f"/articles/{self.article}", None).json()["version"]
            answer = self.call("PATCH", f"/articles/{self.article}", {"version": version, "body": body})
            if answer.status == 200:
                return int(answer.json()["version"])
            assert answer.status == 412, answer.text  # the response to the first attempt was lost in a kill


async def read_topic(bootstrap: str, wanted: set[str]) -> dict[str, list[Article]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        parts = [TopicPartition("articles", part) for part in consumer.partitions_for_topic("articles") or ()]
        parts = parts or [TopicPartition("articles", part) for part in range(12)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        ends = await consumer.end_offsets(parts)
        found: dict[str, list[Article]] = defaultdict(list)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    if record.key.decode("utf-8", "replace") in wanted and record.value:
                        found[record.key.decode()].append(msgspec.json.decode(record.value, type=Article))
        return found
    finally:
        await consumer.stop()


async def wait_for_outbox(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(30):
        while await connection.fetchval("SELECT count(*) FROM ingest.outbox"):  # noqa: ASYNC110 - Postgres has no event
            await asyncio.sleep(0.1)


async def test_outbox_relay_through_kills_delivers_all_versions_in_order(system: Any, editors: Any, wait: Any) -> None:
    """Through kill -9 at any point every published version reaches Kafka as committed, in order, the newest last."""
    editors.token("admin")
    stop = threading.Event()
    writers = [Writer(editors, number, stop) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for number in range(KILLS):
        await asyncio.sleep(1.1 + number * 0.17)
        killed = system.state()["parts"]["articles"]
        os.kill(killed, signal.SIGKILL)
        await asyncio.to_thread(
            wait, lambda before=killed: system.state()["parts"].get("articles") not in (None, before)
        )
    await asyncio.to_thread(wait, system.all_ready)
    # Enough to be in disorder, however slow the machine is.
    await asyncio.to_thread(wait, lambda: all(len(one.acknowledged) > KILLS or one.error for one in writers))
    stop.set()
    for writer in writers:
        await asyncio.to_thread(writer.join, 30)
        assert writer.error is None, writer.error
    connection = await asyncpg.connect(system.database_url)
    try:
        await wait_for_outbox(connection)
        rows = await connection.fetch(
            "SELECT article, content FROM ingest.revisions"
            " WHERE is_public_change AND article = ANY ($1) ORDER BY version",
            [writer.article for writer in writers],
        )
    finally:
        await connection.close()
    committed: dict[str, list[Article]] = defaultdict(list)
    for row in rows:
        committed[row["article"]].append(msgspec.json.decode(row["content"], type=Article))
    arrived = await read_topic(system.kafka, set(committed))
    for writer in writers:
        first_seen = list({article.version: article for article in arrived[writer.article]}.values())
        assert first_seen == committed[writer.article]
        assert arrived[writer.article][-1] == committed[writer.article][-1]
        assert set(writer.acknowledged) == {article.version for article in committed[writer.article]}
        assert len(writer.acknowledged) > KILLS
        assert editors.publication(writer.article)["live_version"] == writer.acknowledged[-1]


def test_post_while_postgres_is_down_is_503_and_done_once(system: Any, editors: Any, wait: Any) -> None:
    """While Postgres is killed, requests get 503; repeated with their key, each takes effect once."""
    editors.token("admin")
    editors.create("Trước khi Postgres chết")
    seen: set[int] = set()
    created = []
    for number in range(60):
        if number in (10, 30):
            os.kill(system.state()["parts"]["postgres"], signal.SIGKILL)
        body = {"site": "haihau", "section": "tin-tuc", "title": f"Qua cơn {number}", "tags": ["qua cơn"]}
        deadline = time.monotonic() + 30
        while True:
            answer = editors.call("POST", "/articles", body, "admin", idempotency_key=f"qua-con-{number}")
            seen.add(answer.status)
            if answer.status == 201:
                created.append(answer.json()["id"])
                break
            assert answer.status in (502, 503), answer.text
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert 503 in seen
    wait(system.all_ready)
    found = editors.call("GET", "/articles?limit=100&tag=qua%20c%C6%A1n", None, "admin").json()["articles"]
    assert [one["id"] for one in found] == created[::-1]


def test_outbox_relay_of_frozen_replica_is_taken_over(
    system: Any, editors: Any, wait: Any, free_ports: Any, tmp_path: Path
) -> None:
    """A replica that is frozen with the relay lock is replaced within 40 s; after it resumes, publishing goes on."""
    article = editors.create("Trong lúc đông cứng")["id"]
    port = free_ports(1)
    ours = {"DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka, "PRESSTALLY_HTTP_PORT": str(port)}
    frozen = system.state()["parts"]["articles"]
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "services.ingest", "articles"]
        second = subprocess.Popen(command, cwd=ROOT, env={**system.environment, **ours}, stdout=log, stderr=log)
    token = {"authorization": f"Bearer {editors.token('admin')}", "if_match": f'"{editors.version(article)}"'}

    def ask(method: str, path: str) -> Any:
        return system.request(method, f"http://127.0.0.1:{port}/api/articles/{article}/{path}", **token)

    try:
        wait(lambda: is_ready(f"http://127.0.0.1:{port}/readyz"))
        os.kill(frozen, signal.SIGSTOP)
        assert ask("POST", "publish").status == 200
        wait(lambda: ask("GET", "publication?wait=1s").json()["status"] == "live", what="the publication")
    finally:
        os.kill(frozen, signal.SIGCONT)
        second.terminate()
        second.wait(10)
    wait(system.all_ready)
    after = editors.create("Sau khi tan")["id"]
    editors.publish(after)
    wait(lambda: editors.publication(after)["status"] == "live", what="the next publication")


def is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


async def test_outbox_relay_fenced_producer_cannot_write(system: Any, editors: Any) -> None:
    """A new relay fences the former one: the broker rejects what that one still sends."""
    first = AIOKafkaProducer(bootstrap_servers=system.kafka, transactional_id=f"{TRANSACTIONAL_ID}-test")
    second = AIOKafkaProducer(bootstrap_servers=system.kafka, transactional_id=f"{TRANSACTIONAL_ID}-test")
    await first.start()
    await first.begin_transaction()
    await first.send_and_wait("articles.dlq", b"before", key=b"fence")
    await second.start()
    rejected = False
    try:
        await first.send_and_wait("articles.dlq", b"late", key=b"fence")
        await first.commit_transaction()
    except Exception as error:  # noqa: BLE001 - the client raises several types
        rejected = any(word in repr(error) for word in ("Fenced", "InvalidProducerEpoch", "InvalidTxnState"))
    finally:
        await second.stop()
        await asyncio.wait([asyncio.ensure_future(first.stop())], timeout=5)
    assert rejected
