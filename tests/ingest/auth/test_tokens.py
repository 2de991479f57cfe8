"""Bearer tokens: valid ones, invalid ones, and an unavailable Postgres."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from services.ingest.auth.callers import SCOPES, Caller
from services.ingest.auth.tokens import (
    STALE_SECONDS_MAX,
    UNKNOWN_OF_CALLER_MAX,
    UNKNOWN_RUNNING_MAX,
    Tokens,
    create,
    hash_token,
)
from shared.http.fair_limit import CALLER
from shared.http.problems import Problem
from shared.postgres import open_pool
from tests.leads import leads

ROOT = Path(__file__).parent.parent.parent.parent


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(database, role="presstally_ingest", size=2)
    yield pool
    pool.terminate()


async def problem_of(
    tokens: Tokens, authorization: str | None, scope: str = "read", site: str | None = None
) -> Problem:
    with pytest.raises(Problem) as raised:
        await tokens.require(authorization, scope, site)
    return raised.value


async def is_accepted(tokens: Tokens, token: str) -> bool:
    try:
        await tokens.require(f"Bearer {token}", "events")
    except Problem as problem:
        if problem.status != 503:
            raise
        return False
    return True


async def allow_connections(database: str, allowed: bool) -> None:
    server, name = database.rsplit("/", 1)
    connection = await asyncpg.connect(f"{server}/postgres")
    await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {str(allowed).lower()}")
    if not allowed:
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    await connection.close()


async def test_require_valid_token_returns_holder_scopes_and_sites(pool: asyncpg.Pool) -> None:
    """A token is identified by its secret alone, with its name, scopes and sites."""
    token = await create(pool, name="Trần Thị Lan", scopes=["write"], sites=["haihau"])
    assert len(token) == len("pt_12345678_") + 43
    found = await Tokens(pool).require(f"Bearer {token}", "write", "haihau")
    assert (found.name, found.sites) == ("Trần Thị Lan", {"haihau"})
    assert found.scopes == {"read", "write"}
    stored = await pool.fetchrow("SELECT * FROM ingest.tokens")
    assert stored["hash"] == hash_token(token)
    assert token[12:] not in str(stored)
    assert stored["used_at"] is not None


async def test_require_invalid_token_is_401_with_challenge(pool: asyncpg.Pool) -> None:
    """A missing header, another scheme, a malformed or unknown token and a wrong secret are 401 with a challenge."""
    token = await create(pool, name="Lan", scopes=["read"])
    tokens = Tokens(pool)
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    wrong = [None, "", "Basic abc", "Bearer", f"Bearer {token}x", "Bearer pt_00000000_" + "a" * 43, f"Bearer {other}"]
    for moment in ("before it is cached", "and after"):
        for authorization in wrong:
            problem = await problem_of(tokens, authorization)
            assert problem.status == 401, (moment, authorization)
            assert problem.headers["www-authenticate"].startswith('Bearer realm="presstally"')
        await tokens.require(f"bearer {token}", "read")


async def test_require_missing_scope_or_site_is_403_naming_the_scope(pool: asyncpg.Pool) -> None:
    """A token without the scope or the site is 403; the problem names the scope, and no site, known or not."""
    tokens = Tokens(pool)
    given = {scope: await create(pool, name=scope, scopes=[scope], sites=["haihau"]) for scope in SCOPES}
    allowed = {
        "read": {"read"},
        "write": {"read", "write"},
        "publish": {"read", "write", "publish"},
        "admin": set(SCOPES),
        "events": {"events"},
    }
    for scope, token in given.items():
        for wanted in SCOPES:
            if wanted in allowed[scope]:
                await tokens.require(f"Bearer {token}", wanted, "haihau")
                continue
            problem = await problem_of(tokens, f"Bearer {token}", wanted)
            assert (problem.status, problem.extensions["missing_scope"]) == (403, wanted)
            assert f'scope="{wanted}"' in problem.headers["www-authenticate"]
    for site in ("giao-thuy", "nowhere"):
        problem = await problem_of(tokens, f"Bearer {given['read']}", "read", site)
        assert (problem.status, problem.detail) == (403, "The token has no access to this site.")


async def test_concurrent_requests_validate_a_token_once(pool: asyncpg.Pool) -> None:
    """Fifty requests with a token that is not cached cause one query; a wrong secret beside them is still 401."""
    calls = []

    class CountingPool:
        execute = pool.execute

        async def fetchrow(self, query: str, *arguments: object) -> object:
            calls.append(arguments)
            return await pool.fetchrow(query, *arguments)

    token = await create(pool, name="Lan", scopes=["read"])
    tokens = Tokens(CountingPool())  # type: ignore[arg-type]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    requests = [tokens.require(f"Bearer {token}", "read") for _ in range(50)]
    found, problem = await asyncio.gather(asyncio.gather(*requests), problem_of(tokens, f"Bearer {other}"))
    assert ({one.name for one in found}, problem.status, len(calls)) == ({"Lan"}, 401, 2)


async def test_require_expired_or_revoked_token_is_401(pool: asyncpg.Pool) -> None:
    """An expired token is rejected at once, even while it is cached; a revoked one within a minute."""
    clock = Clock()
    tokens = Tokens(pool, clock=clock)
    for lead in leads(0.5):
        expires_at = datetime.now(UTC) + lead
        short = await create(pool, name="Lan", scopes=["read"], expires_at=expires_at)
        with suppress(Problem):
            await tokens.require(f"Bearer {short}", "read")
        if datetime.now(UTC) < expires_at:
            break
    while datetime.now(UTC) < expires_at:
        pass
    assert "expired" in (await problem_of(tokens, f"Bearer {short}")).detail
    token = await create(pool, name="Lan", scopes=["read"])
    await tokens.require(f"Bearer {token}", "read")
    await pool.execute("UPDATE ingest.tokens SET revoked_at = now()")
    clock.now += 61
    for _ in range(2):
        problem = await problem_of(tokens, f"Bearer {token}")
        assert (problem.status, problem.detail) == (401, "The token was revoked.")


async def test_require_while_postgres_is_unavailable_accepts_cached_tokens(pool: asyncpg.Pool, database: str) -> None:
    """While Postgres is unavailable a cached token is valid for 10 minutes, and an unknown one is 503."""
    clock = Clock()
    tokens = Tokens(pool, clock=clock)
    known = await create(pool, name="Máy chủ", scopes=["events"])
    unknown = await create(pool, name="Máy khác", scopes=["events"])
    await tokens.require(f"Bearer {known}", "events")
    await allow_connections(database, False)
    try:
        clock.now += STALE_SECONDS_MAX - 1
        for _ in range(3):
            await tokens.require(f"Bearer {known}", "events")
        assert (await problem_of(tokens, f"Bearer {known[:-1]}-", "events")).status == 401
        problem = await problem_of(tokens, f"Bearer {unknown}", "events")
        assert (problem.status, problem.headers["retry-after"]) == (503, "2")
        clock.now += 2
        assert (await problem_of(tokens, f"Bearer {known}", "events")).status == 503
    finally:
        await allow_connections(database, True)
    for token in (known, unknown):
        async with asyncio.timeout(60):  # terminated connections are discovered one by one
            while not await is_accepted(tokens, token):
                pass


def token_command(system: object, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **system.environment,  # type: ignore[attr-defined]
        "DATABASE_URL": system.database_url,  # type: ignore[attr-defined]
        "KAFKA_BOOTSTRAP": system.kafka,  # type: ignore[attr-defined]
    }
    command = [sys.executable, "-m", "services.ingest", "token", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_token_command_creates_lists_and_revokes(system: object) -> None:
    """The command prints a token once and alone, lists it without its secret, and revokes it."""
    created = token_command(system, "create", "--name", "Phóng viên", "--scope", "write,events", "--site", "haihau")
    token = created.stdout.strip()
    assert (created.returncode, len(token)) == (0, 55), created.stderr
    listed = token_command(system, "list").stdout
    line = next(line for line in listed.splitlines() if line.startswith(token[3:11]))
    assert "Phóng viên" in line
    assert "events,write" in line
    assert token[12:] not in listed
    assert token_command(system, "revoke", token).stdout.startswith("revoked")
    line = next(line for line in token_command(system, "list").stdout.splitlines() if line.startswith(token[3:11]))
    assert "revoked 20" in line
    for wrong, message in (
        (("revoke", "00000000"), "unknown token"),
        (("create", "--name", "x", "--scope", "rule"), "unknown scope 'rule'"),
        (("create", "--name", "x", "--scope", "read", "--site", "khong-co"), "unknown site 'khong-co'"),
        (("create", "--name", " ", "--scope", "read"), "--name must have"),
    ):
        failed = token_command(system, *wrong)
        assert (failed.returncode, message in failed.stderr, failed.stdout) == (1, True, ""), failed.stderr


async def test_invented_tokens_do_not_delay_valid_ones(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few unknown tokens are looked up at once, the callers take turns, and each has a bound: 429 with Retry-After."""
    token = await create(pool, name="Lan", scopes=["read"])
    tokens = Tokens(pool)
    running = most = 0
    looking_up = tokens._validate

    async def validate(prefix: str, digest: bytes) -> Caller:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await looking_up(prefix, digest)
        finally:
            running -= 1

    monkeypatch.setattr(tokens, "_validate", validate)
    CALLER.set("203.0.113.1")
    flood = [asyncio.create_task(problem_of(tokens, f"Bearer pt_{number:08x}_{'x' * 43}")) for number in range(100)]
    CALLER.set("198.51.100.1")
    assert await asyncio.create_task(tokens.require(f"Bearer {token}", "read"))
    assert sum(task.done() for task in flood) < 90
    refused = await asyncio.gather(*flood)
    assert [problem.status for problem in refused].count(401) == UNKNOWN_OF_CALLER_MAX
    assert {(problem.status, problem.headers.get("retry-after")) for problem in refused if problem.status != 401} == {
        (429, "2")
    }
    assert most == UNKNOWN_RUNNING_MAX
