"""Hosts of referrers in the form in which they are compared."""

import pytest

from shared.referrer_hosts import is_within, referrer_host


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("WWW.Spam.Example", "spam.example"),
        ("spam.example.", "spam.example"),
        ("spam.example:8080", "spam.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("ｓｐａｍ.example", "spam.example"),
        ("spam。example", "spam.example"),
        ("www.", "www"),
        ("a b.example", None),
        ("spam..example", None),
        ("*.spam.example", None),
        ("spam.example/path", None),
        ("user@spam.example", None),
        ("", None),
        (".", None),
        ("a" * 64 + ".example", None),
        ("\0.example", None),
    ],
)
def test_referrer_host_has_one_form(host: str, expected: str | None) -> None:
    """Case, ports, last dots, letters of any language and "www." make no other host."""
    assert referrer_host(host) == expected


@pytest.mark.parametrize(
    ("host", "is_spam"),
    [
        ("spam.example", True),
        ("a.b.spam.example", True),
        ("notspam.example", False),
        ("spam.example.vn", False),
        ("spam-example", False),
        ("example", False),
        ("", False),
    ],
)
def test_is_within_compares_whole_labels(host: str, is_spam: bool) -> None:
    """A subdomain of a named host is within it; one that merely has the name in its own is not."""
    assert is_within(host, {"spam.example"}) is is_spam
