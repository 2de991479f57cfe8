"""The command that names suspects."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from services.stats.admin import exclude, suspects
from services.stats.settings import StatsSettings
from shared.cli import CommandError
from shared.postgres import open_pool
from tests.stats.counting.test_whole_path import count_all
from tests.stats.suspects.traffic import FLEET, PEOPLE, SITE, day_of


async def run(database: str, tmp_path: Path, *arguments: str) -> None:
    parser = argparse.ArgumentParser()
    suspects.add_arguments(parser)
    file = tmp_path / "sites.toml"
    file.write_text(
        f'[[site]]\nslug = "haihau"\nname = "H"\norigins = ["{SITE.origins[0]}"]\ntimezone = "Asia/Ho_Chi_Minh"\n'
    )
    settings = StatsSettings(database_url=database, kafka_bootstrap="127.0.0.1:1", sites=file)
    await suspects.run(parser.parse_args(arguments), settings)


async def test_suspects_names_the_fleet_of_a_day(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A day of the evidence is asked for by its local date; another day, and an unknown site, have no suspects."""
    pool = await open_pool(database, role="presstally_stats", size=2)
    for number, records in day_of(2, [*PEOPLE, FLEET], part=0.05).partitions.items():
        await count_all(pool, number, records, [])
    await pool.close()
    await run(database, tmp_path, "--site", "haihau", "--day", "2026-11-24")
    assert "2,000 visitors" in capsys.readouterr().out
    await run(database, tmp_path, "--day", "2026-11-23")
    assert capsys.readouterr().out.startswith("no group behaves as programs do")
    with pytest.raises(CommandError, match="unknown site 'no'"):
        await run(database, tmp_path, "--site", "no")


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-13-40", "1999-12-31", "today", ""])
@pytest.mark.parametrize("command", [suspects, exclude])
def test_invalid_day_is_wrong_usage(command: Any, day: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A day without the form, or in a year that counts cannot have, is one sentence, for both commands."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--day", day])
    assert f"argument --day: {day!r} is not a day like 2026-03-04" in capsys.readouterr().err
