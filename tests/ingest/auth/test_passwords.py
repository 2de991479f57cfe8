"""Which passwords are accepted, and their hashes."""

import asyncio
import time

import pytest

from services.ingest.auth.passwords import IN_PROGRESS_MAX, OF_CALLER_MAX, Passwords, check_password, is_outdated
from services.ingest.content.errors import InvalidContentError
from shared.http.fair_limit import CALLER
from shared.http.problems import Problem

GOOD = "bốn từ không liên quan"


@pytest.mark.parametrize(
    "password", [GOOD, "a1b2c3d4e5", "x" * 5 + "abcde", "🐢🐇🐎🐖🐑🐐🐓🐕🐈🐀", "  khoảng trắng  "]
)
def test_check_password_accepts_what_is_not_guessed(password: str) -> None:
    """Letters of any script, spaces and long sentences are fine; nothing is trimmed."""
    assert check_password(password, not_in=("Lan", "lan@haihau.example")) == password


@pytest.mark.parametrize(
    "password", ["", "x" * 9, "abcabcabcabc", "Admin123456", "lan 1234567", "LAN@haihau.example", "\ud800" * 12]
)
def test_check_password_refuses_what_is_tried_first(password: str) -> None:
    """Short and common ones, few distinct characters, and the own name."""
    with pytest.raises(InvalidContentError):
        check_password(password, not_in=("Lan", "lan@haihau.example"))


async def test_verify_takes_as_long_without_an_account() -> None:
    """Whether an account exists does not show in the time: the same work is done."""
    passwords = Passwords()
    encoded = await passwords.hash(GOOD)
    assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(encoded, GOOD)
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(5):
        for known in (True, False):
            begun = time.process_time()
            assert not await passwords.verify(encoded if known else None, "sai rồi", is_known=True)
            times[known].append(time.process_time() - begun)
    assert min(times[False]) > min(times[True]) / 2
    assert not await passwords.verify("not a hash", GOOD)
    assert not await passwords.verify(encoded, "\ud800")
    assert not is_outdated(encoded)
    assert is_outdated("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng")


async def test_verify_is_bounded_for_strangers_and_open_for_known_browsers() -> None:
    """A flood of guesses is refused beyond its bounds, and takes no turn from known browsers."""
    passwords = Passwords()

    async def guess(address: str) -> int:
        CALLER.set(address)
        try:
            await passwords.verify(None, "x")
        except Problem as problem:
            return problem.status
        return 200

    flood = [asyncio.create_task(guess("10.0.0.1")) for _ in range(OF_CALLER_MAX + 4)]
    flood += [asyncio.create_task(guess(f"10.0.1.{number}")) for number in range(IN_PROGRESS_MAX)]
    await asyncio.sleep(0)
    encoded = await passwords.hash(GOOD)
    assert await passwords.verify(encoded, GOOD, is_known=True)
    statuses = await asyncio.gather(*flood)
    assert statuses[: OF_CALLER_MAX + 4].count(429) == 4
    assert statuses.count(503) >= OF_CALLER_MAX
