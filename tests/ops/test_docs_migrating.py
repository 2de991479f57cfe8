"""Each command and query of docs/migrating.md, run on a small sample of its input."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/migrating.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.+?)\n```", PAGE, re.DOTALL)
SCRIPTS = re.findall(r"```sh\n(.+?)\n```", PAGE, re.DOTALL)
GOATCOUNTER = """\
2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,Screen size,Location,FirstVisit,Date
/a.html,"A, with a comma",false,,Firefox 130,Linux,1,0,,,,VN,1,2026-01-01T00:00:00Z
/a.html,"A, with a comma",false,,Firefox 130,Linux,2,0,,,,VN,1,2026-01-01T00:00:01Z
/b.html,B,false,,Chrome 130,Windows,3,0,,,,VN,1,2026-01-01T00:00:02Z
/b.html,B,false,,bot,,4,150,,,,VN,1,2026-01-01T00:00:03Z
click,Click,true,,Chrome 130,Windows,3,0,,,,VN,0,2026-01-01T00:00:04Z
"""
SAMPLES = """
CREATE TABLE nv4_counter (c_type text, c_val text, c_count bigint);
INSERT INTO nv4_counter VALUES ('total', 'hits', 1490782), ('day', '05', 12), ('c_time', 'last', 3);
CREATE TABLE website_event (website_id uuid, event_type int, url_path text);
INSERT INTO website_event VALUES ('00000000-0000-4000-8000-000000000001', 1, '/a'),
    ('00000000-0000-4000-8000-000000000001', 1, '/a'), ('00000000-0000-4000-8000-000000000001', 2, '/a'),
    ('00000000-0000-4000-8000-000000000002', 1, '/b');
CREATE TABLE wp_statistics_pages (uri text, count int);
INSERT INTO wp_statistics_pages VALUES ('/a', 40), ('/b', 2);
CREATE TABLE wp_postmeta (post_id int, meta_key text, meta_value text);
INSERT INTO wp_postmeta VALUES (1, 'post_views_count', '17'), (2, 'post_views_count', '3'), (1, '_thumbnail_id', '9');
"""


async def test_documented_queries_return_totals(postgres_url: str) -> None:
    """The queries for NukeViet, Umami and WordPress find the totals in tables of their shape, and nothing else."""
    connection = await asyncpg.connect(postgres_url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(SAMPLES)
        found = [str((await connection.fetch(query))[0][0]) for query in QUERIES]
    finally:
        await transaction.rollback()
        await connection.close()
    expected = {"nv4_counter": "1490782", "AND website_id": "2", "wp_statistics_pages": "42", "wp_postmeta": "20"}
    expected["GROUP BY url_path"] = "2"
    assert len(QUERIES) == len(expected)
    for query, number in zip(QUERIES, found, strict=True):
        (wanted,) = [value for part, value in expected.items() if part in query]
        assert number == wanted, query


@pytest.mark.parametrize(("script", "said"), list(zip(SCRIPTS, ["3\n", "2 /a.html\n1 /b.html\n"], strict=True)))
def test_documented_commands_read_exports(script: str, said: str, tmp_path: Path) -> None:
    """The commands for GoatCounter's export count views of people: no events, no bots, quoted commas and all."""
    (tmp_path / "goatcounter.csv").write_text(GOATCOUNTER)
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == said


def test_nukeviet_import_takes_over_views(system: Any, wait: Any) -> None:
    """The documented import of NukeViet's tables publishes the article, whose counter then starts at its old hits."""
    (command,) = re.findall(r"^    presstally (ingest import nukeviet\.json .+)$", PAGE, re.MULTILINE)
    words = command.replace("my-site", "haihau").replace("nukeviet.json", "tests/data/imports/nukeviet.json").split()
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *words],
        cwd=ROOT,
        env=system.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Thông xe cầu làng" in done.stdout + done.stderr
    assert "row 3" in done.stderr  # the sample's row without a body is refused, and only it
    assert "1 failed" in done.stderr
    found = json.loads(system.get("/api/articles?site=haihau&q=Th%C3%B4ng+xe+c%E1%BA%A7u").body)["articles"]
    (article,) = [one for one in found if one["title"] == "Thông xe cầu làng"]
    path = f"/stats/haihau/articles/{article['id']}/counter?measure=views"
    wait(lambda: system.get(path).json()["total"] >= 5678, what="the old hits")
