"""`presstally sites check`: what it says about the running installation and about articles, without a whole system."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from deploy.cli import sites as command
from shared.sites import Section, Site

RUNNING = Site(
    slug="haihau", name="H", origins=["https://haihau.vn"], timezone="UTC", sections=[Section("tin-tuc", "Tin tức")]
)
TABLE = '[[site]]\nslug = "haihau"\nname = "H"\norigins = ["https://haihau.vn"]\ntimezone = "UTC"\n'
TOKENS = ("PRESSTALLY_STATISTICS_TOKENS", "PRESSTALLY_STATISTICS_TOKENS_FILE")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known but what the test says."""
    for name in ("DATABASE_URL", "PRESSTALLY_PUBLIC_URL", "PRESSTALLY_SITES", *TOKENS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(command, "running_service", lambda: None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "sites.toml"
    file.write_text(TABLE + 'sections = [{ slug = "moi", name = "Mới" }]\n', encoding="utf-8")
    return file


@pytest.fixture
def service() -> Iterator[tuple[str, list[bytes]]]:
    """A service that answers `/configz` with what the test puts into the list."""
    answers: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/configz" else 404)
            self.end_headers()
            self.wfile.write(answers[0])

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    server.server_close()


def test_sites_check_says_what_changes_in_the_running_installation(
    file: Path, service: tuple[str, list[bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each change has a line, and a configuration that the installation refused itself is named."""
    url, answers = service
    answers.append(json.dumps({"sites": [msgspec.to_builtins(RUNNING)], "problem": "a typing error"}).encode())
    assert command.run(["check", str(file), "--running", url]) == 0
    printed = capsys.readouterr().out
    change = "~ haihau: sections +moi -tin-tuc: only new sites begin with them"
    assert f"the running installation ({url}): what changes\n  {change}\n" in printed
    assert "a typing error" in printed
    file.write_text(TABLE + 'sections = [{ slug = "tin-tuc", name = "Tin tức" }]\n', encoding="utf-8")
    assert command.run(["check", str(file), "--running", url]) == 0
    assert "nothing changes" in capsys.readouterr().out


def test_sites_check_names_the_site_whose_theme_is_missing(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A theme without a folder is refused, with its path, before anything else is said."""
    file.write_text(TABLE + 'theme = "themes/xanh"\n', encoding="utf-8")
    assert command.run(["check", str(file)]) == 1
    printed = capsys.readouterr()
    missing = f"site haihau: theme {file.with_name('themes') / 'xanh'}: no such folder"
    assert (printed.out, printed.err) == ("", f"presstally sites: {missing}\n")


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"sites": [1]}', b'{"sites": {"a": 1}}'])
def test_sites_check_of_an_odd_answer_is_a_note(
    file: Path, service: tuple[str, list[bytes]], answer: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """What another program answers, or nobody, does not change the result of the check."""
    url, answers = service
    answers.append(answer)
    assert command.run(["check", str(file), "--running", url]) == 0
    assert command.run(["check", str(file), "--running", "http://127.0.0.1:1"]) == 0
    assert capsys.readouterr().out.count("note: the running installation was not compared") == 2


async def test_sites_check_names_articles_that_would_be_in_no_section(
    file: Path, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a database at its address the public articles are compared; without an answer that is a note."""
    connection = await asyncpg.connect(database)
    await connection.execute(
        "INSERT INTO ingest.articles (id, site, version, state, title, content, modified_at, live)"
        """VALUES ('a', 'haihau', 1, 'published', 't', '{"section": "cu"}', now(), '{"section": "cu"}')"""
    )
    await connection.close()
    sites = command.read_sites(file)
    monkeypatch.setenv("DATABASE_URL", database)
    assert await command.undeclared_sections(sites) == [
        "1 public article(s) of haihau are in the section 'cu', which it does not declare"
    ]
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x")
    assert (await command.undeclared_sections(sites))[0].startswith("articles were not compared with the sections: ")


def test_sites_check_reads_tokens_and_the_public_url_as_the_services_do(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing token, an unreadable file of tokens and an address that is no origin are refusals."""
    file.write_text(TABLE + 'statistics = "token"\n')
    tokens = tmp_path / "tokens"
    monkeypatch.setenv("PRESSTALLY_STATISTICS_TOKENS_FILE", str(tokens))
    assert command.run(["check", str(file)]) == 1
    tokens.write_text("other 0123456789abcdef\n")
    assert command.run(["check", str(file)]) == 1
    assert "site haihau requires a token" in capsys.readouterr().err
    tokens.write_text("haihau 0123456789abcdef\n")
    assert command.run(["check", str(file)]) == 0
    monkeypatch.setenv("PRESSTALLY_PUBLIC_URL", "http://localhost:8080")
    assert command.run(["check", str(file)]) == 0
    assert "PRESSTALLY_PUBLIC_URL=http://localhost:8080 has no effect" in capsys.readouterr().out
    monkeypatch.setenv("PRESSTALLY_PUBLIC_URL", "localhost:8080")
    assert command.run(["check", str(file)]) == 1
    assert "PRESSTALLY_PUBLIC_URL must begin with http" in capsys.readouterr().err
