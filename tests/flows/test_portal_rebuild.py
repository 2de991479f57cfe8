"""The portal can be made anew from Kafka, while it runs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg

ROOT = Path(__file__).parent.parent.parent


def rebuild(system: Any, *arguments: str) -> str:
    environment = {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}
    command = [sys.executable, "-m", "services.render", "rebuild", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_what_was_lost_comes_back_and_what_never_was_goes(system: Any, editors: Any) -> None:
    """A rebuild restores rows that are gone or wrong, keeps withdrawals, and removes strangers when it is told to."""
    shown = editors.publish(editors.create("Bài dựng lại", tags=["dựng lại"])["id"])
    gone = editors.publish(editors.create("Bài đã gỡ trước khi dựng lại")["id"])
    editors.step(gone["id"], "kill", {"reason": "gỡ"})
    for article in (shown, gone):
        assert editors.publication(article["id"])["status"] in ("live", "withdrawn")
    address = f"/{shown['slug']}-{shown['number']}.html"
    page, tag = system.get(address), system.get("/tag/dung-lai/")
    assert (page.status, tag.status) == (200, 200)
    connection = await asyncpg.connect(system.database_url)
    try:
        await connection.execute("DELETE FROM render.listings")
        await connection.execute("UPDATE render.articles SET content = jsonb_set(content, '{title}', '\"Hỏng\"')")
        await connection.execute("DELETE FROM render.articles WHERE id = $1", shown["id"])
        await connection.execute(
            "INSERT INTO render.articles (id, site, number, section, version, state, path, listed_at, content) "
            "VALUES ('stranger', 'haihau', 999999, 'tin-tuc', 1, 'published', '/x-999999.html', now(), '{}')"
        )
    finally:
        await connection.close()
    said = rebuild(system)
    assert "stranger" in said
    assert re.match(r"made \d+ articles anew, removed 0,", said)
    assert "removed 1," in rebuild(system, "--prune")
    assert system.get(address).body == page.body
    assert system.get("/tag/dung-lai/").body == tag.body
    assert system.get(f"/x-{gone['number']}.html").status == 410
