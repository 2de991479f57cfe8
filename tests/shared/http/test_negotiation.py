"""Content codings and entity tags (RFC 9110)."""

import pytest

from shared.http.negotiation import accepted_codings, etag_matches, takes_gzip

OFFERED = ("br", "gzip")


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        (None, ("identity", "br", "gzip")),
        ("", ("identity",)),
        ("gzip", ("gzip", "identity")),
        ("gzip, br", ("br", "gzip", "identity")),
        ("GZIP", ("gzip", "identity")),
        ("gzip;q=1.0, br;q=0.5", ("gzip", "br", "identity")),
        ("gzip; q=0.5 , br ; q = 0.8", ("br", "gzip", "identity")),
        ("br;q=0, gzip", ("gzip", "identity")),
        ("*", ("br", "gzip", "identity")),
        ("*;q=0", ("identity",)),
        ("gzip, identity;q=0", ("gzip",)),
        ("identity, gzip;q=0.5", ("identity", "gzip")),
        ("zstd", ("identity",)),
        ("gzip;q=many", ("identity",)),
        ("gzip;level=9", ("gzip", "identity")),
        (",;,=;q", ("identity",)),
    ],
)
def test_accepted_codings_are_in_the_clients_order(header: str | None, codings: tuple[str, ...]) -> None:
    """The client's weights decide, then the server's order; identity is last unless it is named, and never missing."""
    assert accepted_codings(header, OFFERED) == codings


@pytest.mark.parametrize(
    ("header", "expected"), [("gzip", True), ("br, gzip;q=0.1", True), ("gzip;q=0", False), ("", False)]
)
def test_takes_gzip_if_it_is_accepted(header: str, expected: bool) -> None:
    """A response is compressed if the client accepts gzip."""
    assert takes_gzip(header) is expected


@pytest.mark.parametrize(
    ("if_none_match", "matches"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", W/"a"', True),
        ("*", True),
        (" * ", True),
        ('"b"', False),
        ("", False),
        ("a", False),
    ],
)
def test_etag_matches_weakly(if_none_match: str, matches: bool) -> None:
    """A weak tag matches a strong one; a list matches if one of it does; * always does."""
    assert etag_matches('"a"', if_none_match) is matches
