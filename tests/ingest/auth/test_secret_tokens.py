"""Secrets of sessions, devices and links."""

from services.ingest.auth.secret_tokens import csrf_token, hash_secret, is_secret, new_secret


def test_secrets_are_distinct_and_recognised() -> None:
    """A new secret has the form of one, and nothing else has."""
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(is_secret(one) for one in made)
    one = made.pop()
    for bad in ("", one[:-1], one + "x", one + "\n", f" {one}", "é" * 43, "=" * 43):
        assert not is_secret(bad)


def test_csrf_token_does_not_show_the_secret() -> None:
    """The token differs from what is stored, so that neither of them gives the other."""
    secret = new_secret()
    assert is_secret(csrf_token(secret))
    assert csrf_token(secret) == csrf_token(secret) != csrf_token(new_secret())
    assert hash_secret(secret) != hash_secret(csrf_token(secret))
