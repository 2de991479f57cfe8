"""The command that makes links for staff."""

import argparse
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from services.ingest.auth.shared_secrets import get_or_create_secret
from services.ingest.collector import own_traffic_command
from services.ingest.collector.own_traffic import own_traffic_key, verify
from services.ingest.collector.salts import PARTITION_SECRET
from services.ingest.settings import IngestSettings
from shared.cli import CommandError
from shared.postgres import open_pool
from tests.ingest.auth.test_person_command import SITES


async def run(database: str, tmp_path: Path, *words: str) -> None:
    sites = tmp_path / "sites.toml"
    sites.write_text(SITES, encoding="utf-8")
    settings = IngestSettings(kafka_bootstrap="none:9092", database_url=database, sites=sites)  # type: ignore[arg-type]
    parser = argparse.ArgumentParser()
    own_traffic_command.add_arguments(parser)
    await own_traffic_command.run(parser.parse_args(list(words)), settings)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ("https://haihau.example", 7)),
        (("--days", "90"), ("https://haihau.example", 90)),
        (("--url", "https://my.example/thong-ke/"), ("https://my.example/thong-ke", 7)),
    ],
)
async def test_link_is_signed_with_the_key_of_the_collectors(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], expected: tuple[str, int]
) -> None:
    """The link alone goes to standard output, is of the site, and ends when the command says."""
    base, days = expected
    await run(database, tmp_path, "--site", "haihau", *words)
    printed = capsys.readouterr()
    link = printed.out.removesuffix("\n")
    assert link.startswith(f"{base}/e/own-traffic?link=haihau.")
    assert "Hải Hậu" in printed.err
    pool: asyncpg.Pool = await open_pool(database, role="presstally_ingest", size=1)
    key = own_traffic_key(await get_or_create_secret(pool, PARTITION_SECRET))
    await pool.close()
    mark = verify(key, "link", parse_qs(urlsplit(link).query)["link"][0])
    assert mark is not None
    assert abs(mark.until - time.time() - days * 86_400) < 60


@pytest.mark.parametrize(
    "words",
    [
        ("--site", "nowhere"),
        ("--site", "haihau", "--days", "0"),
        ("--site", "haihau", "--days", "-1"),
        ("--site", "haihau", "--days", "91"),
        ("--site", "haihau", "--url", "my.example"),
        ("--site", "haihau", "--url", "javascript:alert(1)"),
        ("--site", "haihau", "--url", "https://"),
        ("--site", "haihau", "--url", "https://my.example/?a=b"),
        ("--site", "haihau", "--url", "https://my.example/#a"),
    ],
)
async def test_link_of_wrong_arguments_is_refused(database: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    """An unknown site, a span that is too long, and what is no address of a page end with one sentence."""
    with pytest.raises(CommandError):
        await run(database, tmp_path, *words)
