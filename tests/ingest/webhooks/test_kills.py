"""Kills (SIGKILL) of the process that sends webhooks, at each of its steps, with a receiver on this machine."""

import asyncio
import multiprocessing
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import asyncpg
import pytest

from tests.ingest.webhooks.killed_process import ANSWER_SECONDS, STEPS, main
from tests.ingest.webhooks.test_delivery import states

ARTICLES = ("a", "b", "c")
EVENTS_A_STEP = 2
"""Of each article, before each process starts: one is refused at first, so every process comes to its step."""
PROCESS_SECONDS_MAX = 60


class Receiver(ThreadingHTTPServer):
    """Notes what arrives, and answers the first attempt of every second event of an article with 500."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, bytes]] = []
        self.lock = threading.Lock()

    @property
    def messages(self) -> list[str]:
        """The `webhook-id` of each request, in the order in which they came."""
        return [message for message, _ in self.received]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body, message = self.rfile.read(int(self.headers["content-length"])), self.headers["webhook-id"]
        with self.server.lock:
            attempt = self.server.messages.count(message)
            self.server.received.append((message, body))
        time.sleep(ANSWER_SECONDS)
        is_refused = attempt == 0 and int(message.rpartition(" ")[2]) % 2 == 0
        self.send_response(500 if is_refused else 204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def add_webhook(pool: asyncpg.Pool, url: str) -> None:
    """Add the webhook of the events."""
    await pool.execute(
        "INSERT INTO ingest.webhooks (id, url, events, secret, created_by)"
        " VALUES ('w', $1, '{article.updated}', 'k', 'x')",
        url,
    )


async def add_events(pool: asyncpg.Pool, first: int) -> list[str]:
    """Queue events of several articles, interleaved, with numbers from `first`, and return their IDs in order."""
    messages = [f"{article} {first + number}" for number in range(EVENTS_A_STEP) for article in ARTICLES]
    await pool.executemany(
        "INSERT INTO ingest.webhook_deliveries (message, webhook, event, article, payload)"
        " VALUES ($1, 'w', 'article.updated', $2, $3)",
        [(message, message[0], f"the body of {message}".encode()) for message in messages],
    )
    return messages


async def wait_for_connections_to_end(database: str, since: datetime) -> None:
    """Wait until Postgres has noticed that a process was killed: a statement that it has begun may claim events yet.

    Asks as the login of `database`: to a service's role Postgres hides when connections of others began.
    """
    count = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND (backend_start > $1) IS NOT FALSE AND pid <> pg_backend_pid()"
    )
    connection = await asyncpg.connect(database)
    try:
        while await connection.fetchval(count, since):  # noqa: ASYNC110 - it is in Postgres
            await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def test_each_event_arrives_in_order_whenever_its_process_is_killed(
    pool: asyncpg.Pool, database: str, receiver: Receiver
) -> None:
    """However often and wherever processes die, no event is lost or changed, and none overtakes one of its article."""
    await add_webhook(pool, f"http://127.0.0.1:{receiver.server_port}/hook")
    messages: list[str] = []
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ingest.webhooks.killed_process"])
    for round_number, step in enumerate((*STEPS, None)):
        messages += await add_events(pool, round_number * EVENTS_A_STEP)
        started_at = await pool.fetchval("SELECT clock_timestamp()")
        process = context.Process(target=main, args=(database, step))
        process.start()
        process.join(PROCESS_SECONDS_MAX)
        assert process.exitcode == (0 if step is None else -signal.SIGKILL), step
        await wait_for_connections_to_end(database, started_at)
        await pool.execute("UPDATE ingest.webhook_deliveries SET claimed_until = now() WHERE claimed_until > now()")
    assert [one.rpartition(" ")[0] for one in await states(pool, "w")] == [f"{one} delivered" for one in messages]
    assert all(body == f"the body of {message}".encode() for message, body in receiver.received)
    for article in ARTICLES:
        numbers = [int(one.split()[1]) for one in receiver.messages if one.startswith(article)]
        assert numbers == sorted(numbers), "a later event of an article came before an earlier one"
        assert set(numbers) == set(range(len(messages) // len(ARTICLES)))
    refused = sum(int(one.split()[1]) % 2 == 0 for one in messages)
    repeated = sum(Counter(receiver.messages).values()) - len(messages) - refused
    assert repeated <= len(STEPS), "only what a process was killed at is sent again"
