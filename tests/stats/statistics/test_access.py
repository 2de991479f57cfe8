"""Who may see the statistics."""

import pytest
from starlette.requests import Request

from services.stats.statistics.access import StatisticsAuth, query_with_token
from shared.http.problems import Problem
from shared.settings import SettingsError
from shared.sites import Site, Sites

OPEN = Site(slug="open", name="O", origins=["https://o.example"], timezone="UTC")
SHUT = Site(slug="shut", name="S", origins=["https://s.example"], timezone="UTC", statistics="token")
SITES = Sites(open=OPEN, shut=SHUT)
TOKENS = (
    "# of the management\nshut abcdefghijklmnop\n\nshut qrstuvwxyz0123456   # the next one\nopen 0123456789abcdefg\n"
)


def request(query: str = "", authorization: str = "") -> Request:
    headers = [(b"authorization", authorization.encode())] if authorization else []
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize(
    "asked",
    [
        request("token=abcdefghijklmnop"),
        request("token=qrstuvwxyz0123456"),
        request(authorization="Bearer abcdefghijklmnop"),
    ],
)
def test_token_of_the_site_grants_access(asked: Request) -> None:
    """Each of a site's tokens opens it, as a header or in the address."""
    StatisticsAuth(SITES, TOKENS).check(asked, SHUT)


@pytest.mark.parametrize(
    "asked",
    [
        request(),
        request("token="),
        request("token=0123456789abcdefg"),
        request("token=abcdefghijklmno"),
        request(authorization="Basic abcdefghijklmnop"),
        request(authorization="Bearer x"),
    ],
)
def test_missing_or_wrong_token_is_refused(asked: Request) -> None:
    """No token, another site's and a wrong one are refused with 401; a public site requires none."""
    access = StatisticsAuth(SITES, TOKENS)
    with pytest.raises(Problem) as refused:
        access.check(asked, SHUT)
    assert refused.value.status == 401
    access.check(asked, OPEN)


def test_invalid_tokens_stop_the_start() -> None:
    """A short token, an invalid line and a site without a token are all reported at once, without any token."""
    with pytest.raises(SettingsError) as refused:
        StatisticsAuth(SITES, "shut short\nNobody! abcdefghijklmnop\nopen\n")
    message = str(refused.value)
    assert all(word in message for word in ("line 1", "line 2", "line 3", "site shut"))
    assert "abcdefghijklmnop" not in message


def test_tokens_of_a_site_that_is_not_declared_are_no_error() -> None:
    """A site can be added after its token, and removed before it."""
    StatisticsAuth(Sites(open=OPEN), TOKENS)


def test_links_keep_a_token_of_the_address() -> None:
    """Links of a page that was opened by its address keep the token; those of a public site have none."""
    asked = request("token=abcdefghijklmnop&period=7d")
    assert query_with_token(asked, SHUT, period="24h", lang=None) == "?period=24h&token=abcdefghijklmnop"
    assert query_with_token(asked, OPEN, period="24h") == "?period=24h"
