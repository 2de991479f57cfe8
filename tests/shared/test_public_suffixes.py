"""Public suffixes, by the rules of the Public Suffix List."""

import pytest

from shared.public_suffixes import public_suffixes_among
from shared.referrer_hosts import referrer_host


@pytest.mark.parametrize(
    ("host", "is_suffix"),
    [
        ("com.vn", True),
        ("gov.vn", True),
        ("id.vn", True),
        ("nam-dinh.vn", False),
        ("namdinh.gov.vn", False),
        ("haihau.namdinh.gov.vn", False),
        ("CO.UK.", True),
        ("www.co.uk", True),
        ("bbc.co.uk", False),
        ("xn--55qx5d.cn", True),
        ("公司.cn", True),
        ("thử.公司.cn", False),
        ("a.ck", True),
        ("b.a.ck", False),
        ("kobe.jp", True),
        ("x.kobe.jp", True),
        ("city.kobe.jp", False),
        ("a.city.kobe.jp", False),
        ("github.io", False),
        ("spam.example", False),
        ("203.0.113.7", False),
    ],
)
def test_public_suffix_is_found_by_rule_wildcard_and_exception(host: str, is_suffix: bool) -> None:
    """A suffix and what has only suffixes below it are found in every spelling, and no suffix of a company."""
    name = referrer_host(host)
    assert name is not None
    assert bool(public_suffixes_among([name, "other.example"])) is is_suffix
