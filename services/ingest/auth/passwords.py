"""Passwords: which are accepted, and their Argon2id hashes.

Hashing takes 19 MiB and tens of milliseconds, with the parameters that OWASP recommends for small servers. It runs in
threads, a few at a time; the callers take turns, and people in a known browser have a thread of their own.
"""

import asyncio
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from services.ingest.content.errors import invalid
from shared.http.fair_limit import FairLimit

CHARACTERS_MIN = 10
CHARACTERS_MAX = 200
DISTINCT_CHARACTERS_MIN = 5
MEMORY_KIB = 19 * 1024
PASSES = 2
RUNNING_MAX = 2
IN_PROGRESS_MAX = 64
OF_CALLER_MAX = 8
WAIT_SECONDS_MAX = 10.0
_HASHER = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)
COMMON = frozenset(
    [
        "1234567890",
        "12345678910",
        "0123456789",
        "9876543210",
        "0987654321",
        "qwertyuiop",
        "1q2w3e4r5t",
        "password123",
        "password1234",
        "passw0rd123",
        "matkhau123",
        "matkhau1234",
        "matkhau12345",
        "matkhaucuatoi",
        "anhyeuem123",
        "iloveyou123",
        "administrator",
        "admin12345",
        "admin123456",
        "welcome123",
        "changeme123",
        "letmein123",
        "presstally123",
        "toasoan123",
        "bientapvien",
        "vietnam123",
        "vietnam2026",
        "hanoi12345",
    ]
)
"""Long enough, and tried first."""


def normalize_password(password: str) -> str:
    """Return a password in NFC (RFC 8265): "ệ" is one letter, whether a keyboard sends it in one part or in three."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, *, field: str = "password", not_in: tuple[str, ...] = ()) -> str:
    """Return a new password in the form that is hashed.

    Args:
        password: As it was typed.
        field: Its name in the request.
        not_in: Texts that it must not consist of: the person's name and e-mail address.

    Raises:
        InvalidContentError: it is too short, too long, or easily guessed.
    """
    clean = normalize_password(password)
    if not CHARACTERS_MIN <= len(clean) <= CHARACTERS_MAX:
        is_short = len(clean) < CHARACTERS_MIN
        code, limit = ("too_few_characters", CHARACTERS_MIN) if is_short else ("too_many_characters", CHARACTERS_MAX)
        raise invalid(field, code, limit=limit, size=len(clean))
    folded = clean.casefold()
    known = {_letters(text) for whole in not_in for text in (whole, whole.partition("@")[0])}
    if folded in COMMON or len(set(folded)) < DISTINCT_CHARACTERS_MIN or _letters(clean) in known:
        raise invalid(field, "guessable_password")
    if "\0" in clean or not _is_encodable(clean):
        raise invalid(field, "untypable_password")
    return clean


def _letters(text: str) -> str:
    """Return the letters of a text: a name with numbers behind it is still the name."""
    return "".join(character for character in text.casefold() if character.isalpha())


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _unknown() -> str:
    """Return the hash that is verified if there is no account, so that this takes as long."""
    return _HASHER.hash("a password of nobody")


class Passwords:
    """Hashes and verifies passwords in threads."""

    def __init__(self) -> None:
        self._strangers = FairLimit(
            "log-ins",
            running_max=RUNNING_MAX,
            in_progress_max=IN_PROGRESS_MAX,
            of_caller_max=OF_CALLER_MAX,
            wait_seconds_max=WAIT_SECONDS_MAX,
        )
        self._known = FairLimit(
            "log-ins", running_max=1, in_progress_max=IN_PROGRESS_MAX, wait_seconds_max=WAIT_SECONDS_MAX
        )

    async def hash(self, password: str) -> str:
        """Return the hash of a password that `check_password` has accepted.

        Raises:
            Problem: 429 or 503 if too many others are hashed.
        """
        async with self._known.admit():
            return await asyncio.to_thread(_HASHER.hash, password)

    async def verify(self, encoded: str | None, password: str, *, is_known: bool = False) -> bool:
        """Return whether a password is the hashed one; without a hash it takes as long and returns False.

        Args:
            encoded: The stored hash; None: there is no account, or it has no password.
            password: As it was typed.
            is_known: The request comes from a known browser, or proves its sender otherwise.

        Raises:
            Problem: 429 or 503 if too many others are verified.
        """
        async with (self._known if is_known else self._strangers).admit():
            return await asyncio.to_thread(_verify, encoded, normalize_password(password)[: 4 * CHARACTERS_MAX])


def _verify(encoded: str | None, password: str) -> bool:
    if not _is_encodable(password):
        password = ""
    try:
        return _HASHER.verify(encoded or _unknown(), password) and encoded is not None
    except (Argon2Error, InvalidHashError):
        return False


def is_outdated(encoded: str) -> bool:
    """Return whether a hash was made with other parameters than those of today."""
    return _HASHER.check_needs_rehash(encoded)
