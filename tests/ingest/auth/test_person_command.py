"""`presstally ingest person`: the first administrator, and accounts where there is no mail."""

import argparse
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.ingest.auth import person_command
from services.ingest.auth.secret_tokens import is_secret
from services.ingest.settings import IngestSettings
from services.ingest.structure import changes
from services.ingest.structure.store import change_structure
from shared.cli import CommandError
from shared.site_structure import SiteStructure, StructureSection
from shared.sites_file import read_sites

SITES = """
[[site]]
slug = "haihau"
name = "Hải Hậu"
origins = ["https://haihau.example"]
timezone = "Asia/Ho_Chi_Minh"
sections = [{ slug = "tin-tuc", name = "Tin tức" }]
"""


class Command:
    """Runs the command on a database."""

    def __init__(self, database: str, sites: Path) -> None:
        sites.write_text(SITES, encoding="utf-8")
        self.settings = IngestSettings(kafka_bootstrap="none:9092", database_url=database, sites=sites)  # type: ignore[arg-type]

    async def run(self, *words: str) -> None:
        parser = argparse.ArgumentParser()
        person_command.add_arguments(parser)
        await person_command.run(parser.parse_args(list(words)), self.settings)


async def test_first_administrator_is_created_by_one_command(
    database: str, pool: asyncpg.Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The link alone goes to standard output, works once, and the audit log says who has made it."""
    command = Command(database, tmp_path / "sites.toml")
    await command.run("create", "--admin", "--email", "Lan@HaiHau.example", "--name", "Trần Lan")
    printed = capsys.readouterr()
    page, _, secret = printed.out.strip().partition("#")
    assert page == "https://haihau.example/ban-bien-tap/loi-moi"
    assert is_secret(secret)
    assert "Trần Lan" in printed.err
    assert secret not in printed.err
    rows: list[Any] = await pool.fetch("SELECT action, who FROM ingest.audit_log ORDER BY id")
    assert [row["action"] for row in rows] == ["create", "send-invitation"]
    await command.run("list")
    listed = capsys.readouterr().out
    assert "lan@haihau.example" in listed
    assert "invited" in listed
    assert "admin" in listed


async def test_accounts_are_locked_reset_and_removed(
    database: str, pool: asyncpg.Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each verb does its work, and what cannot be done is one sentence."""
    command = Command(database, tmp_path / "sites.toml")
    await command.run("create", "--admin", "--email", "lan@haihau.example", "--name", "Lan")
    await command.run("create", "--grant", "publish:haihau:tin-tuc", "--email", "nam@haihau.example", "--name", "Nam")
    capsys.readouterr()
    await command.run("reset", "nam@haihau.example", "--two-steps", "--origin", "https://toasoan.example/")
    assert capsys.readouterr().out.startswith("https://toasoan.example/ban-bien-tap/mat-khau#")
    await command.run("lock", "nam@haihau.example")
    cases = [
        (("invite", "nam@haihau.example"), "is locked"),
        (("lock", "lan@haihau.example"), "last administrator"),
        (("remove", "lan@haihau.example"), "last administrator"),
        (("reset", "ai-do@haihau.example"), "nobody has"),
        (("reset", "x"), "not an e-mail address"),
        (("create", "--admin", "--email", "lan@haihau.example", "--name", "x"), "has this e-mail address"),
        (("create", "--email", "x@haihau.example", "--name", "x"), "what the person may do"),
        (("create", "--grant", "root", "--email", "x@haihau.example", "--name", "x"), "must be one of"),
        (("create", "--grant", "read:haihau:x", "--email", "x@haihau.example", "--name", "x"), "unknown section"),
        (("create", "--grant", "a:b:c:d", "--email", "x@haihau.example", "--name", "x"), "is not scope"),
        (("create", "--admin", "--email", "x@haihau.example", "--name", "\x1b[0m"), "control character"),
    ]
    for words, message in cases:
        with pytest.raises(CommandError, match=message):
            await command.run(*words)
    await command.run("unlock", "nam@haihau.example")
    await command.run("invite", "nam@haihau.example")
    await command.run("remove", "nam@haihau.example")
    assert await pool.fetchval("SELECT count(*) FROM ingest.people") == 1
    assert await pool.fetchval("SELECT count(*) FROM ingest.account_links") == 1


async def test_rights_are_given_in_the_sections_of_the_newsroom(
    database: str, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    """Sections that the newsroom added can be named, those that it removed cannot, whatever the sites' file has."""
    command = Command(database, tmp_path / "sites.toml")
    site = read_sites(tmp_path / "sites.toml", None)["haihau"]

    def change(before: SiteStructure, version: int) -> SiteStructure:
        added = changes.add(before, "section", StructureSection(slug="kinh-te", name="Kinh tế", version=version))
        return changes.remove(added, "section", "tin-tuc")

    async with pool.acquire() as connection, connection.transaction():
        await change_structure(connection, site, change)
    await command.run("create", "--grant", "write:haihau:kinh-te", "--email", "mai@haihau.example", "--name", "Mai")
    assert await pool.fetchval("SELECT email FROM ingest.people") == "mai@haihau.example"
    with pytest.raises(CommandError, match="unknown section"):
        await command.run("create", "--grant", "write:haihau:tin-tuc", "--email", "an@haihau.example", "--name", "An")
