"""The options of the import command that fetch images."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from services.ingest.auth.actors import Actor
from services.ingest.imports.command import add_arguments
from services.ingest.imports.fetching.images import FetchTotals
from services.ingest.imports.fetching.options import open_fetcher, totals_line
from services.ingest.imports.fetching.targets import AllowedHosts
from services.ingest.settings import IngestSettings
from shared.cli import CommandError


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(["export.xml", "--site", "haihau", *words])


def fetcher(tmp_path: Path, *words: str) -> Any:
    settings = IngestSettings.model_construct(media=str(tmp_path / "media"))
    pool: Any = None
    return open_fetcher(parse(*words), settings, pool, Actor("An"), lambda _: None)


def test_options_have_limits_and_hosts() -> None:
    """Bytes have units; hosts are a list; the limits have defaults."""
    chosen = parse("--fetch-hosts", "cu.example,*.anh.example", "--fetch-bytes", "2G", "--fetch-count", "5")
    assert chosen.fetch_hosts == AllowedHosts(frozenset({("cu.example", None), ("*.anh.example", None)}))
    assert (chosen.fetch_bytes, chosen.fetch_count, chosen.fetch_seconds) == (2 * 1024**3, 5, 21_600)
    assert not chosen.fetch_images


@pytest.mark.parametrize("words", [("--fetch-hosts", "https://cu.example"), ("--fetch-bytes", "2 GB")])
def test_options_that_cannot_be_read_are_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong host or size ends the command with the reason."""
    with pytest.raises(SystemExit) as ended:
        parse(*words)
    assert ended.value.code == 2
    assert "is not a" in capsys.readouterr().err


def test_options_allow_no_private_address() -> None:
    """No option and no setting changes how hosts are resolved, checked and connected to."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    named = {name for action in parser._actions for name in action.option_strings if "fetch" in name}
    assert named == {"--fetch-images", "--fetch-hosts", "--fetch-count", "--fetch-bytes", "--fetch-seconds"}
    assert not [name for name in IngestSettings.model_fields if "fetch" in name or "private" in name]


def test_open_fetcher_needs_fetch_images(tmp_path: Path) -> None:
    """Nothing is fetched without --fetch-images, and hosts alone are an error."""
    assert fetcher(tmp_path) is None
    with pytest.raises(CommandError, match="has no effect without --fetch-images"):
        fetcher(tmp_path, "--fetch-hosts", "cu.example")
    assert fetcher(tmp_path, "--fetch-images") is not None
    assert (tmp_path / "media").is_dir()


def test_totals_line_has_all_numbers() -> None:
    """The summary has the images fetched, known and not fetched, and their size."""
    line = totals_line(FetchTotals(fetched=1_234, known=5, failed=6, bytes=3 * 1024**2))
    assert line == "images: 1,234 fetched (3.0 MiB), 5 known, 6 not fetched"
