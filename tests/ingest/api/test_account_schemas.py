"""Responses about people."""

from services.ingest.api.account_schemas import GrantShown, shown_grants
from services.ingest.auth.callers import Grant


def test_shown_grants_say_null_for_all() -> None:
    """All sites and all sections are null, in a fixed order."""
    grants = frozenset({Grant("write", "haihau", "tin-tuc"), Grant("admin"), Grant("read", "haihau")})
    assert shown_grants(grants) == [
        GrantShown("admin", None, None),
        GrantShown("read", "haihau", None),
        GrantShown("write", "haihau", "tin-tuc"),
    ]
