"""The portal can be rebuilt from Kafka while it runs, and rolled back."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from services.render.builder import store
from services.render.pages.themes import read_theme
from services.render.rebuild import generations
from shared.articles import Article
from shared.postgres import open_pool
from shared.sites_file import read_sites
from tests.settled import wait_until_free

ROOT = Path(__file__).parent.parent.parent


def command(system: Any, name: str, *arguments: str, database: str | None = None) -> subprocess.Popen[str]:
    ours = {"DATABASE_URL": database or system.database_url, "KAFKA_BOOTSTRAP": system.kafka, "PYTHONUNBUFFERED": "1"}
    called = [sys.executable, "-m", "services.render", name, *arguments]
    return subprocess.Popen(
        called, cwd=ROOT, env={**system.environment, **ours}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(system: Any, name: str, *arguments: str, code: int = 0, database: str | None = None) -> str:
    process = command(system, name, *arguments, database=database)
    said, complained = process.communicate(timeout=90)
    assert process.returncode == code, said + complained
    return said + complained


@contextmanager
def stopped_after(system: Any, line: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A rebuild that is frozen after it has said a line; it goes on in the end, and succeeds unless it was killed."""
    process = command(system, "rebuild", *arguments)
    assert process.stdout is not None
    said = ""
    while line not in said:
        heard = process.stdout.readline()
        assert heard, said + process.stderr.read() if process.stderr else said
        said += heard
    process.send_signal(signal.SIGSTOP)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        rest, complained = process.communicate(timeout=90)
    assert process.returncode in (0, -signal.SIGKILL), said + rest + complained


async def fetch(url: str, query: str, *arguments: Any) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query, *arguments))
    finally:
        await connection.close()


async def execute(url: str, query: str, *arguments: Any) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(query, *arguments)
    finally:
        await connection.close()


async def live(system: Any) -> str:
    rows = await fetch(system.database_url, "SELECT schema_name FROM render.generations WHERE state = 'live'")
    return str(rows[0][0])


async def send(system: Any, key: str, value: bytes | None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka)
    await producer.start()
    try:
        await producer.send_and_wait("articles", value, key=key.encode())
    finally:
        await producer.stop()


def everything(system: Any) -> dict[str, tuple[int, bytes, str]]:
    """Return status, bytes and entity tag of all that can be come to by links from the portal's beginnings."""
    seen: dict[str, tuple[int, bytes, str]] = {}
    ahead = ["/", "/robots.txt", "/sitemap.xml", "/news-sitemap.xml", "/so-do-site", "/tin-tuc/?trang=1"]
    while ahead:
        address = ahead.pop()
        is_file = address in read_theme("").assets or address.startswith(("/media/", "/stats/", "/t.js", "/p.gif"))
        if address in seen or is_file:
            continue
        got = system.get(address)
        seen[address] = got.status, got.body, got.headers.get("etag", "")
        links = re.findall(rf'(?:href="|<loc>|<link>)(?:{system.url})?(/[^"<#]*)', got.body.decode("utf-8", "replace"))
        ahead += [link.replace("&amp;", "&") for link in links]
    return seen


def publish(editors: Any, title: str, **fields: Any) -> tuple[dict[str, Any], str]:
    """Publish an article, wait until it is live, and return it with its address."""
    article = editors.publish(editors.create(title, **fields)["id"])
    assert editors.publication(article["id"])["status"] == "live"
    return article, f"/{article['slug']}-{article['number']}.html"


async def test_what_was_lost_comes_back_and_what_never_was_goes(system: Any, editors: Any) -> None:
    """A rebuild restores rows that are gone or wrong, keeps withdrawals, and removes what the topic does not hold."""
    shown, address = publish(editors, "Bài dựng lại", tags=["dựng lại"])
    gone, _ = publish(editors, "Bài đã gỡ trước khi dựng lại")
    editors.step(gone["id"], "kill", {"reason": "gỡ"})
    assert editors.publication(gone["id"])["status"] == "withdrawn"
    page, tag = system.get(address), system.get("/tag/dung-lai/")
    assert (page.status, tag.status) == (200, 200)
    place = await live(system)
    await execute(system.database_url, f"DELETE FROM {place}.listings")
    await execute(
        system.database_url, f"UPDATE {place}.articles SET content = jsonb_set(content, '{{title}}', '\"Hỏng\"')"
    )
    await execute(system.database_url, f"DELETE FROM {place}.articles WHERE id = $1", shown["id"])
    await execute(
        system.database_url,
        f"INSERT INTO {place}.articles (id, site, number, section, version, state, path, listed_at, content) "
        "VALUES ('stranger', 'haihau', 999999, 'tin-tuc', 1, 'published', '/x-999999.html', now(), '{}')",
    )
    await execute(system.database_url, "UPDATE render.sites SET version = version + 1")
    assert system.get(address).status == 404
    assert "live articles that the topic does not have: 1\n  stranger\n" in run(system, "rebuild", "--drop-missing")
    assert system.get(address).body == page.body
    assert system.get("/tag/dung-lai/").body == tag.body
    assert system.get(f"/x-{gone['number']}.html").status == 410
    assert not await fetch(system.database_url, f"SELECT FROM {await live(system)}.articles WHERE id = 'stranger'")


async def test_a_rebuild_gives_the_same_bytes(system: Any, editors: Any) -> None:
    """After a rebuild every address has the bytes and the tag that it had, and `--compare` finds no other page."""
    for number in range(25):
        publish(editors, f"Bài thứ {number} của bộ so sánh", tags=["so sánh", f"số {number % 3}"])
    publish(editors, "Bài từ trang cũ", old_urls=["/cu/bai.aspx?id=77"])
    before = everything(system)
    assert len(before) > 40
    said = run(system, "rebuild", "--compare")
    assert "all rows are the same as the live ones" in said
    assert re.search(r"haihau: \d+ pages, 0 of them different from the live ones", said)
    assert everything(system) == before
    assert system.get("/cu/bai.aspx?id=77").status == 301


async def test_a_replay_writes_nothing(system: Any, editors: Any, wait: Any) -> None:
    """The same message again changes no row and raises no generation; readers' copies stay good."""
    article, address = publish(editors, "Bài đến hai lần")
    place = await live(system)
    tables = ("articles", "listings", "search", "old_addresses", "visibility_changes")
    rows = " UNION ALL ".join(f"SELECT '{table}', xmin::text, ctid::text FROM {place}.{table}" for table in tables)
    query = f"SELECT * FROM ({rows}) every UNION ALL SELECT site, version::text, '' FROM render.sites ORDER BY 1, 2, 3"
    content = (await fetch(system.database_url, f"SELECT content FROM {place}.articles WHERE id = $1", article["id"]))[
        0
    ]
    before, page = await fetch(system.database_url, query), system.get(address)

    def replays() -> float:
        text = system.get(f"http://127.0.0.1:{system.port('render')}/metrics").text
        found = re.search(r'presstally_articles_rendered_total\{result="unchanged"\} (\S+)', text)
        return float(found[1]) if found else 0.0

    count = replays()
    for _ in range(3):
        await send(system, article["id"], content["content"].encode())
    wait(lambda: replays() >= count + 3, what="three replays")
    assert await fetch(system.database_url, query) == before
    assert system.get(address, if_none_match=page.headers["etag"]).status == 304


async def test_nothing_that_happens_meanwhile_is_lost_or_comes_back(system: Any, editors: Any, wait: Any) -> None:
    """Publications, an edit, a kill and a tombstone while a rebuild stands still are the same after its swap."""
    old, _ = publish(editors, "Bài sẽ sửa trong lúc dựng lại")
    killed, killed_address = publish(editors, "Bài sẽ gỡ trong lúc dựng lại")
    buried, buried_address = publish(editors, "Bài sẽ xóa hẳn trong lúc dựng lại")
    before = await live(system)
    with stopped_after(system, "checked"):
        _, new_address = publish(editors, "Bài mới trong lúc dựng lại")
        head = editors.call(
            "PATCH", f"/articles/{old['id']}", {"title": "Bài đã sửa", "version": old["version"]}
        ).json()
        edited = editors.publish(head["id"])
        assert editors.publication(edited["id"])["status"] == "live"
        editors.step(killed["id"], "kill", {"reason": "gỡ"})
        await send(system, buried["id"], None)
        wait(lambda: system.get(killed_address).status == 410 and system.get(buried_address).status == 404)
        assert system.get(new_address).status == 200
    assert await live(system) != before
    assert system.get(new_address).status == 200
    assert "Bài đã sửa" in system.get(f"/{edited['slug']}-{edited['number']}.html").text
    assert (system.get(killed_address).status, system.get(buried_address).status) == (410, 404)
    run(system, "rollback")  # what was gone when it was live is gone in the former one too
    assert await live(system) == before
    assert system.get(new_address).status == 200
    assert "Bài đã sửa" in system.get(f"/{edited['slug']}-{edited['number']}.html").text
    assert (system.get(killed_address).status, system.get(buried_address).status) == (410, 404)


@pytest.mark.parametrize("line", ["rebuilt", "checked"])
async def test_a_rebuild_that_is_killed_harms_nothing(system: Any, editors: Any, line: str) -> None:
    """It leaves what readers get alone, keeps a second one away until then, and the next one starts clean."""
    _, address = publish(editors, "Bài trong lúc dựng lại bị ngắt")
    place, page = await live(system), system.get(address)
    with stopped_after(system, line) as process:
        assert "another rebuild or rollback is running" in run(system, "rebuild", code=1)
        assert "another rebuild or rollback is running" in run(system, "rollback", code=1)
        process.kill()
    assert (await live(system), system.get(address).body) == (place, page.body)
    await wait_until_free(system.database_url, generations.LOCK)
    run(system, "rebuild")
    assert await live(system) != place
    assert system.get(address).body == page.body


async def test_a_swap_waits_for_a_builder_and_outlives_a_frozen_one(system: Any, editors: Any) -> None:
    """A builder frozen in its transaction holds a swap for seconds only, and what it meant to write is refused."""
    _, address = publish(editors, "Bài trong lúc một trình dựng đứng")
    place = await live(system)
    pool = await open_pool(system.database_url, role="presstally_render", size=1)
    frozen = await pool.acquire()
    with stopped_after(system, "checked") as process:
        await frozen.execute("BEGIN")
        await frozen.execute(store.SQL["lock_swap_shared"])
        process.send_signal(signal.SIGCONT)
        await asyncio.sleep(2)
        assert await live(system) == place
    assert await live(system) != place
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
        await frozen.execute(f"DELETE FROM {place}.articles")
    pool.terminate()
    assert system.get(address).status == 200
    publish(editors, "Bài sau khi trình dựng đã đứng")


async def test_a_lost_topic_does_not_empty_the_portal(system: Any, database: str, editors: Any) -> None:
    """Live articles that the topic lacks are named and kept; after a confirmation they are dropped until `rollback`."""
    assert "there is no former generation" in run(system, "rollback", code=1, database=database)
    pool = await open_pool(database, role="presstally_render", size=1)
    sites = read_sites(Path(system.environment["PRESSTALLY_SITES"]))
    content = await fetch(
        system.database_url, f"SELECT content FROM {await live(system)}.articles WHERE state = 'published' LIMIT 1"
    )
    model = msgspec.json.decode(content[0]["content"], type=Article)
    for number in range(40):
        lost = msgspec.structs.replace(model, id=f"lost-{number}", number=900_000 + number)
        await store.save(pool, lost, sites[lost.site])
    pool.terminate()
    count = "SELECT count(*) FROM {}.articles WHERE id LIKE 'lost-%'"
    for flags in ((), ("--force",)):
        assert "40 live articles are not in the topic" in run(system, "rebuild", *flags, code=1, database=database)
    assert (await fetch(database, count.format("render")))[0][0] == 40
    said = run(system, "rebuild", "--drop-missing", database=database)
    assert "render_2 is live now" in said
    assert (await fetch(database, count.format("render_2")))[0][0] == 0
    assert "render is live now" in run(system, "rollback", database=database)
    assert (await fetch(database, count.format("render")))[0][0] == 40


async def test_readers_meet_no_gap_while_generations_change(system: Any, editors: Any) -> None:
    """Through swaps there and back each request is answered, with the same bytes."""
    _, address = publish(editors, "Bài được đọc liên tục")
    pages = {path: system.get(path).body for path in (address, "/tin-tuc/")}
    for name in ("rebuild", "rollback"):
        process = command(system, name)
        while process.poll() is None:
            for path, body in pages.items():
                got = system.get(path)
                assert (got.status, got.body == body) == (200, True), path
            await asyncio.sleep(0.005)
        told = process.communicate()
        assert process.returncode == 0, told
