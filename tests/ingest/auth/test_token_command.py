"""`token create|list|revoke`, on a real Postgres."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.ingest.auth import token_command
from services.ingest.auth.tokens import Tokens
from services.ingest.settings import IngestSettings
from shared.cli import CommandError
from shared.http.problems import Problem
from shared.sites import Site

Output = pytest.CaptureFixture[str]
CREATE = ["create", "--name", "web", "--scope"]


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    token_command.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.fixture
def settings(database: str, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> IngestSettings:
    """Settings with the site `haihau`."""
    file = tmp_path / "sites.toml"
    file.write_text(f'[[site]]\nslug = "{site.slug}"\nname = "x"\norigins = ["{site.origins[0]}"]\ntimezone = "UTC"\n')
    for name, value in {"KAFKA_BOOTSTRAP": "x:1", "DATABASE_URL": database, "PRESSTALLY_SITES": str(file)}.items():
        monkeypatch.setenv(name, value)
    return IngestSettings.load()


async def test_create_prints_only_the_token_on_standard_output(
    settings: IngestSettings, pool: asyncpg.Pool, capsys: Output
) -> None:
    """The token works for its scopes and sites, and everything else goes to standard error."""
    await token_command.run(parsed(*CREATE, "read, write", "--scope", "events", "--site", "haihau"), settings)
    output = capsys.readouterr()
    (printed,) = output.out.split()
    assert "not shown again" in output.err
    token = await Tokens(pool).require(f"Bearer {printed}", "write", "haihau")
    assert (token.name, token.sites) == ("web", {"haihau"})
    with pytest.raises(Problem) as refused:
        token.check("write", "giao-thuy")
    assert refused.value.status == 403


async def test_list_shows_state_and_no_secret(settings: IngestSettings, capsys: Output) -> None:
    """The list has a line for each token with its state, and never the token itself."""
    printed = []
    for expires in ("never", "30"):
        await token_command.run(parsed(*CREATE, "read", "--expires", expires), settings)
        printed.append(capsys.readouterr().out.strip())
    await token_command.run(parsed("revoke", printed[0]), settings)
    assert "takes effect within 60 s" in capsys.readouterr().out
    await token_command.run(parsed("list"), settings)
    output = capsys.readouterr().out
    lines = {line.split()[0]: line for line in output.splitlines()[1:]}
    assert f"revoked {datetime.now(UTC):%Y-%m}" in lines[printed[0].removeprefix("pt_")[:8]]
    assert "valid until" in lines[printed[1].removeprefix("pt_")[:8]]
    assert "  all  " in output
    assert not [token for token in printed if token in output]


async def test_revoke_unknown_token_is_an_error(settings: IngestSettings) -> None:
    """A prefix that no token has is an error, and so is one that was mistyped."""
    with pytest.raises(CommandError, match="unknown token 'pt_00000000'"):
        await token_command.run(parsed("revoke", "pt_00000000xyz"), settings)


async def test_create_invalid_argument_is_an_error(settings: IngestSettings, pool: asyncpg.Pool) -> None:
    """Scopes, sites and names are checked before anything is written."""
    cases: list[Any] = [
        (["--scope", "root"], "unknown scope 'root'; choose from"),
        (["--scope", "read,"], "unknown scope ''"),
        (["--scope", "read", "--site", "nowhere"], "unknown site 'nowhere'; choose from haihau"),
        (["--scope", "read", "--name", " "], "--name must have 1 to 150 characters"),
        (["--scope", "read", "--name", "x" * 151], "--name must have 1 to 150 characters"),
        (["--scope", "read", "--name", "a\0b"], "--name must have 1 to 150 characters"),
    ]
    for arguments, message in cases:
        with pytest.raises(CommandError, match=message):
            await token_command.run(parsed("create", "--name", "web", *arguments), settings)
        assert await pool.fetchval("SELECT count(*) FROM ingest.tokens") == 0


def test_expires_accepts_days_dates_and_never() -> None:
    """Days are counted from now; a date is one in the machine's zone; the default is a year."""
    now = datetime.now(UTC)
    assert parsed(*CREATE, "read", "--expires", "never").expires is None
    assert parsed(*CREATE, "read", "--expires", "2199-01-31").expires.year == 2199
    for arguments, days in ((["--expires", "30"], 30), ([], 365)):
        expires = parsed(*CREATE, "read", *arguments).expires
        assert timedelta(days=days) <= expires - now < timedelta(days=days, minutes=1)


@pytest.mark.parametrize("text", ["0", "2020-01-31", "tomorrow", "9" * 20, "-5"])
def test_expires_in_the_past_or_unreadable_is_rejected(text: str) -> None:
    """An expiry that is over, too far away or unreadable is an error of the argument."""
    with pytest.raises((argparse.ArgumentError, SystemExit)):
        parsed(*CREATE, "read", f"--expires={text}")
