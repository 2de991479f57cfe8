"""`presstally ingest webhooks`: what it prints, and what it does."""

import argparse
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from services.ingest.webhooks import command
from shared.cli import CommandError


@pytest.fixture
def run(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the command on the test's database."""

    @asynccontextmanager
    async def opened(*_: Any, **__: Any) -> Any:
        yield pool

    async def call(*words: str) -> None:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        await command.run(parser.parse_args(words), None)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "open_command_pool", opened)
    return call


async def test_webhooks_command_shows_enables_and_sends_again(
    pool: asyncpg.Pool, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Secrets are not printed; dead events are shown and sent again; an unknown webhook is an error."""
    await pool.execute(
        "INSERT INTO ingest.webhooks (id, url, events, secret, created_by, disabled_at, disabled_reason)"
        " VALUES ('wh_1', 'https://a.example/', '{article.updated}', 'bi-mat', 'x', now(), 'nothing was delivered')"
    )
    await pool.execute(
        "INSERT INTO ingest.webhook_deliveries"
        " (message, webhook, event, article, payload, next_at, ended_at, last_result)"
        " VALUES ('msg_1', 'wh_1', 'article.updated', 'a', '{}', NULL, now(), 'status 500')"
    )
    for words in (["list"], ["dead", "wh_1"], ["redeliver", "wh_1"], ["enable", "wh_1"], ["list"]):
        await run(*words)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "wh_1  https://a.example/  article.updated  all sites  disabled: nothing was delivered"
    assert "msg_1" in lines[1]
    assert lines[1].endswith("status 500")
    assert lines[2:4] == ["1 event(s) are sent again", "wh_1 is enabled"]
    assert lines[4].endswith("enabled")
    assert "bi-mat" not in "".join(lines)
    with pytest.raises(CommandError):
        await run("dead", "wh_2")
