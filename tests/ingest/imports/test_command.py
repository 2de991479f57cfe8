"""The import command as a process: interrupted and continued, dry, its help, and large files."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from services.ingest.imports.detection import READERS
from services.ingest.queries import STRUCTURE_SQL
from shared.site_structure import SiteStructure, StructureSection
from tests.bench.importing import WXR_HEAD, line_of, post_of

ROOT = Path(__file__).parent.parent.parent.parent
ARTICLES = 600


def environment(database: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database, "KAFKA_BOOTSTRAP": "127.0.0.1:1"}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "services.ingest", "import", "--site", "haihau", *words]


def run(database: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=ROOT, env=environment(database), capture_output=True, text=True, check=False
    )


def start(database: str, *words: str) -> subprocess.Popen[str]:
    """Start an import that a terminal's Ctrl-C reaches, though these tests may run in a background that ignores it."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(command(*words), cwd=ROOT, env=environment(database), text=True, **pipes)
    finally:
        signal.signal(signal.SIGINT, before)


async def count(pool: asyncpg.Pool, table: str = "articles") -> int:
    return int(await pool.fetchval(f"SELECT count(*) FROM ingest.{table}"))


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "export.ndjson"
    file.write_text("".join(map(line_of, range(ARTICLES))), encoding="utf-8")
    return file


async def test_import_interrupted_says_how_to_continue_and_continues(
    database: str, pool: asyncpg.Pool, export: Path
) -> None:
    """After Ctrl-C the exit code is 130, with a sentence and no traceback; the same command imports the rest."""
    report = export.parent / "report.ndjson"
    words = (str(export), "--report", str(report))
    process = start(database, *words)
    assert process.stdout is not None
    for _ in range(150):  # the second batch is being saved
        assert process.stdout.readline().startswith("created article")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors) == (130, False), errors
    assert "import: interrupted; run it again; it continues where it stopped" in errors
    saved = await count(pool)
    assert 100 <= saved < ARTICLES
    assert all(json.loads(line)["status"] == "created" for line in report.read_text().splitlines())
    again = run(database, str(export))
    assert again.returncode == 0, again.stderr
    assert f"{ARTICLES - saved:,} created, {saved:,} unchanged" in again.stderr
    assert (await count(pool), await count(pool, "revisions")) == (ARTICLES, ARTICLES)


async def test_import_of_large_file_interrupted_ends_without_traceback(
    database: str, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """Ctrl-C while a mapped file is read ends the command as well: the file is not closed under its reader."""
    file = tmp_path / "export.xml"
    with file.open("w", encoding="utf-8") as output:
        output.write(WXR_HEAD)
        output.writelines(post_of(number, 16_000) for number in range(1, 900))
        output.write("</channel></rss>")
    assert file.stat().st_size > 16 * 1024 * 1024
    process = start(database, str(file))
    assert process.stdout is not None
    assert process.stdout.readline().startswith("created article")
    await asyncio.sleep(0.2)  # the next batch is being read
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in errors, "Error" in errors) == (130, False, False), errors


async def test_import_dry_run_has_the_same_warnings_and_writes_nothing(
    database: str, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """A dry run prints the warnings and failures of the import, line by line."""
    body = '<p>Chữ</p><p><img src="http://cu.example/a.png" alt="Ảnh"></p><object data="x.swf"></object>'
    due = "2090-01-01T07:00:00+07:00"
    rows: list[dict[str, Any]] = [
        {"external_id": "1", "title": "Một", "body": body, "section": "tin-tuc"},
        {"external_id": "2", "title": "Hai", "body": "<p>x</p>", "section": "tin-tuc", "publish_at": due},
        {"external_id": "3", "title": "", "body": "<p>x</p>"},
        {"external_id": "4", "title": "Bốn", "body": "<p>x</p>", "section": "khong-co"},
    ]
    file = tmp_path / "export.ndjson"
    file.write_text("\n".join(map(json.dumps, rows)))
    words = (str(file), "--publish", "--fetch-images", "--fetch-hosts", "khac.example")
    dry = run(database, *words, "--dry-run")
    assert [await count(pool, table) for table in ("articles", "media", "outbox")] == [0, 0, 0]
    real = run(database, *words)

    def told(process: subprocess.CompletedProcess[str]) -> list[str]:
        return [line for line in process.stderr.splitlines() if line.startswith("import: ")]

    assert told(dry) == told(real)
    assert len(told(dry)) >= 3
    assert "the host cu.example is not allowed" in dry.stderr
    assert (dry.returncode, real.returncode) == (1, 1)


def test_import_help_has_each_format_with_an_example() -> None:
    """The usage shows each format with what to export and how to import it."""
    shown = subprocess.run(command("--help"), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    examples = dict(re.findall(r"^  (\w+) .*… import (\S+) --site S", shown, re.MULTILINE))
    assert set(examples) == set(READERS)


def test_make_import_without_file_is_an_error() -> None:
    """`make import` without FILE says what is missing, and starts nothing."""
    done = subprocess.run(["make", "import"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "make import: which file? make import FILE=page.txt" in done.stderr


async def test_import_knows_sections_that_only_the_newsroom_has(
    database: str, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """A section that was added or renamed since the sites' file was read; one that nobody has is named with those."""
    sections = [StructureSection(slug=slug, name=slug, version=2) for slug in ("thoi-su", "bien-dong")]
    structure = SiteStructure(
        site="haihau",
        version=2,
        modified_at=datetime(2026, 11, 29, tzinfo=UTC),
        sections=sections,
        section_aliases={"tin-tuc": "thoi-su"},
    )
    content = msgspec.json.encode(structure).decode()
    await pool.execute(STRUCTURE_SQL["insert_structure"], "haihau", 2, content, "[]", structure.modified_at)
    file = tmp_path / "bai.md"
    file.write_text("# Bài\n\nĐoạn.\n", encoding="utf-8")
    refused = run(database, str(file), "--section", "khong-co")
    assert (refused.returncode, "it has thoi-su, bien-dong" in refused.stderr) == (1, True), refused.stderr
    done = run(database, str(file), "--section", "bien-dong")
    assert done.returncode == 0, done.stderr
    assert await pool.fetchval("SELECT content ->> 'section' FROM ingest.articles") == "bien-dong"
