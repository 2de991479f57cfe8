"""Codes of two-step verification."""

import pytest

from services.ingest.auth.totp import (
    RECOVERY_CODES,
    code_at,
    hash_recovery_code,
    matching_step,
    new_recovery_codes,
    new_totp_secret,
    secret_text,
    secret_uri,
)

RFC = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_code_at_matches_the_vectors_of_the_rfc(seconds: int, code: str) -> None:
    """The codes are those of RFC 6238, appendix B, for SHA-1, cut to six digits."""
    assert code_at(RFC, seconds // 30) == code
    assert matching_step(RFC, code, seconds) == seconds // 30


def test_matching_step_accepts_the_steps_around_now_only() -> None:
    """A clock may be half a minute wrong; what is older or no code is refused."""
    now = 1_800_000_015
    for steps, accepted in ((-2, False), (-1, True), (0, True), (1, True), (2, False)):
        code = code_at(RFC, now // 30 + steps)
        assert (matching_step(RFC, code, now) is not None) is accepted
    for bad in ("", "12345", "1234567", "١٢٣٤٥٦", "abcdef", "0x1234", "-12345", "½23456"):
        assert matching_step(RFC, bad, now) is None


def test_recovery_codes_are_read_as_people_type_them() -> None:
    """Upper case, spaces and missing hyphens do not matter; other texts are no codes."""
    codes = new_recovery_codes()
    assert len(set(codes)) == RECOVERY_CODES
    code = codes[0]
    assert hash_recovery_code(code) == hash_recovery_code(f" {code.upper().replace('-', ' ')} ")
    for bad in ("", "123456", code[:-1], code + "a", "é" * 16, "0" * 16):
        assert hash_recovery_code(bad) is None


def test_secret_uri_names_account_and_issuer() -> None:
    """Names with special characters cannot add parameters."""
    secret = new_totp_secret()
    uri = secret_uri(secret, "lan+x@haihau.example", "Hải Hậu & Co?secret=x")
    assert uri.startswith(
        "otpauth://totp/H%E1%BA%A3i%20H%E1%BA%ADu%20%26%20Co%3Fsecret%3Dx:lan%2Bx@haihau.example?secret="
    )
    assert f"secret={secret_text(secret)}&" in uri
    assert len(secret_text(secret)) == 32
