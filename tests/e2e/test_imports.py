"""Imports with real processes: the command and the API, repeated, dry, interrupted, and their results on the portal."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "tests/data/imports"


def command(system: Any, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "services.ingest", "import", "--site", "haihau", *arguments]


def environment(system: Any) -> dict[str, str]:
    return {**system.environment, "DATABASE_URL": system.database_url, "KAFKA_BOOTSTRAP": system.kafka}


def run(system: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = command(system, *arguments)
    return subprocess.run(words, cwd=ROOT, env=environment(system), capture_output=True, text=True, check=False)


def lines_of(count: int, name: str, **more: Any) -> bytes:
    rows = (
        {"external_id": f"{name}-{n}", "section": "tin-tuc", "title": f"{name} {n}", "body": f"<p>Thân bài {n}.</p>"}
        for n in range(count)
    )
    return b"\n".join(json.dumps({**row, **more}).encode() for row in rows)


async def rows(system: Any, query: str, *arguments: Any) -> Any:
    connection = await asyncpg.connect(system.database_url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def test_import_all_formats_twice_changes_nothing_the_second_time(system: Any) -> None:
    """A folder with all formats is imported; the second run reports each article as unchanged."""
    arguments = (str(DATA), "--section", "tin-tuc", "--publish", "--with-counter")
    dry = run(system, *arguments, "--dry-run")
    assert "dry run, nothing was written: 15 created" in dry.stderr, dry.stderr
    assert "Thông xe cầu làng: would be created, published in tin-tuc, 2019-03-01" in dry.stdout
    count = "SELECT count(*) FROM ingest.articles"
    before = await rows(system, count)
    first = run(system, *arguments)
    assert len(re.findall("^created article", first.stdout, re.MULTILINE)) == 15, first.stdout + first.stderr
    assert await rows(system, count) == before + 15
    assert (first.returncode, "bulk.ndjson, line 4: title" in first.stderr) == (1, True)
    outbox = await rows(system, "SELECT count(*) FROM ingest.revisions")
    second = run(system, *arguments)
    assert len(re.findall("^unchanged article", second.stdout, re.MULTILINE)) == 15, second.stdout
    assert await rows(system, "SELECT count(*) FROM ingest.revisions") == outbox


async def test_imported_article_is_live_with_date_urls_and_views(
    system: Any, editors: Any, wait: Callable[..., Any]
) -> None:
    """Public articles are live with their date, old URLs and views; drafts are not."""
    run(system, str(DATA / "nukeviet.json"), "--publish", "--with-counter")
    article = await rows(system, "SELECT id FROM ingest.articles WHERE external_id = 'nv4_vi_news_15'")
    status = editors.publication(article)
    assert status["status"] == "live"
    page = system.get("/" + status["url"].split("/", 3)[3]).text
    for text in ("Cầu dài 40 mét.", "Báo Nam Định", "01/03/2019"):
        assert text in page
    public = system.get(f"/api/articles/{article}").json()
    assert "/vi/news/tin-tuc/Thong-xe-cau-lang-15.html" in public["old_urls"]
    counter = f"/stats/haihau/articles/{article}/counter?measure=views"
    wait(lambda: system.get(counter).json().get("total", 0) >= 5_678)
    draft = await rows(system, "SELECT state FROM ingest.articles WHERE external_id = 'nv4_vi_news_16'")
    assert draft == "draft"


async def test_import_again_keeps_changes_of_editors(system: Any, editors: Any) -> None:
    """What editors changed or withdrew after an import stays so when the same file is imported again."""
    content = lines_of(2, "bien-tap")
    first, second = imported(editors, content, publish="true")
    answer = editors.call("PATCH", f"/articles/{first['article']}", {"version": 1, "title": "Đã sửa"})
    assert answer.status == 200, answer.text
    editors.step(second["article"], "kill", {"reason": "sai"})
    again = imported(editors, content, publish="true")
    assert [(one["status"], one["version"]) for one in again] == [("unchanged", 2), ("unchanged", 2)]
    changed = imported(editors, lines_of(2, "bien-tap", lead="Mới"), publish="true")
    assert [one["status"] for one in changed] == ["changed", "failed"]
    assert "killed" in changed[1]["reason"]


def imported(editors: Any, content: bytes, scope: str = "admin", **query: str) -> list[dict[str, Any]]:
    asked = "&".join(f"{name}={value}" for name, value in {"site": "haihau", **query}.items())
    answer = editors.call("POST", f"/imports?{asked}", content, scope, content_type="application/x-ndjson")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
    return [json.loads(line) for line in answer.body.splitlines()]


def test_api_import_returns_one_result_per_line(editors: Any) -> None:
    """The API returns one line per article, in order; a failed one has its reason and does not stop the others."""
    results = imported(editors, (DATA / "bulk.ndjson").read_bytes().replace(b'"a-', b'"api-'), "write")
    assert [one["place"] for one in results] == [f"line {number}" for number in (1, 2, 4, 5, 6, 7, 8)]
    assert [one["status"] for one in results] == ["created", "created", *["failed"] * 5]
    assert (results[0]["state"], results[0]["published_at"]) == ("draft", "2025-05-01T00:00:00Z")
    assert [bool(one.get("reason")) for one in results] == [False, False, *[True] * 5]
    dry = imported(editors, lines_of(3, "thu"), dry_run="true")
    assert [(one["status"], one["dry_run"], "article" in one) for one in dry] == [("created", True, False)] * 3
    other = imported(editors, (DATA / "feed.atom").read_bytes(), file_name="tin.atom")
    assert other[0]["title"] == "Đê biển được gia cố"


def test_api_import_enforces_scopes_and_limits(system: Any, editors: Any) -> None:
    """Publishing and balances need admin; unknown sites, sections, formats and oversized files are rejected."""
    body = lines_of(1, "quyen")
    for query, scope, status in (
        ("site=haihau&publish=true", "publish", 403),
        ("site=haihau&with_counter=true", "write", 403),
        ("site=haihau", "read", 403),
        ("site=khong", "write", 404),
        ("site=haihau&section=khong", "write", 422),
        ("site=haihau&format=doc", "write", 422),
        ("site=haihau&file_name=a.exe", "write", 422),
        ("", "write", 422),
    ):
        assert editors.call("POST", f"/imports?{query}", body, scope).status == status, query
    assert system.request("POST", "/api/imports?site=haihau", body).status == 401
    oversized = editors.call("POST", "/imports?site=haihau", bytes(33 * 1024 * 1024))
    assert (oversized.status, oversized.json()["limit"]) == (413, 32 * 1024 * 1024)
    broken = imported(editors, b"<rss><item><title>x</title></item>", format="feed", section="tin-tuc")
    assert [one["status"] for one in broken] == ["created", "failed"]
    assert "is not well-formed XML: it is cut off" in broken[-1]["reason"]


async def test_killed_import_is_completed_by_repeating_it(system: Any, tmp_path: Path) -> None:
    """A killed import has saved whole articles; the same command imports the rest, each once."""
    file = tmp_path / "nhieu.ndjson"
    file.write_bytes(lines_of(3_000, "gian-doan"))
    count = "SELECT count(*) FROM ingest.articles WHERE external_id LIKE 'gian-doan-%'"
    killed = await asyncio.create_subprocess_exec(
        *command(system, str(file)), cwd=ROOT, env=environment(system), stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(60):
        while await rows(system, count) == 0:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.02)
    killed.kill()
    await killed.wait()
    saved = await rows(system, count)
    assert 0 < saved < 3_000
    done = run(system, str(file))
    assert done.returncode == 0, done.stderr
    numbers = re.findall(r"([\d,]+) (?:created|unchanged)", done.stderr)
    created, unchanged = (int(one.replace(",", "")) for one in numbers)
    assert created + unchanged == 3_000
    assert unchanged >= saved, "Postgres may complete the last statement of the killed one"
    assert await rows(system, count) == 3_000
    revisions = "SELECT count(*) FROM ingest.revisions WHERE content ->> 'external_id' LIKE 'gian-doan-%'"
    assert await rows(system, revisions) == 3_000


def test_import_with_missing_image_is_not_published(editors: Any) -> None:
    """An image that is not in the store prevents the publication; a stored one is filled in."""
    image = editors.image()
    for url, status in (("/media/khong.jpg", "failed"), (image["url"], "created")):
        body = [{"type": "figure", "caption": "Ảnh", "image": {"url": url, "alt": "Ảnh"}}]
        content = lines_of(1, f"anh-{status}", body=body)
        results = imported(editors, content, publish="true")
        assert [one["status"] for one in results] == [status], results
    article = editors.call("GET", f"/articles/{results[0]['article']}").json()
    assert {**article["body"][0]["image"], "crops": []} == {**image, "alt": "Ảnh"}
