"""Origins and hosts as browsers send them: the expected ones are those of the URL standard."""

import pytest

from shared.origins import (
    InvalidOriginError,
    is_loopback,
    normalize_origin,
    origin_of_url,
    sent_host,
    sent_origin,
    without_port,
)


@pytest.mark.parametrize(
    ("declared", "sent"),
    [
        ("https://example.vn", "https://example.vn"),
        ("HTTPS://Example.VN/", "https://example.vn"),
        ("https://example.vn:443", "https://example.vn"),
        ("http://example.vn:80/", "http://example.vn"),
        ("http://example.vn:443", "http://example.vn:443"),
        ("https://example.vn:8443", "https://example.vn:8443"),
        ("https://example.vn:", "https://example.vn"),
        ("https://example.vn.", "https://example.vn"),
        ("http://localhost.:8080", "http://localhost:8080"),
        ("https://Hải-Hậu.vn", "https://xn--hi-hu-v11bzc.vn"),
        ("https://Ha\u0309i-Ha\u0323\u0302u.vn", "https://xn--hi-hu-v11bzc.vn"),  # decomposed
        ("https://xn--hi-hu-v11bzc.vn", "https://xn--hi-hu-v11bzc.vn"),
        ("https://XN--HI-HU-V11BZC.VN", "https://xn--hi-hu-v11bzc.vn"),
        ("https://faß.de", "https://xn--fa-hia.de"),  # IDNA 2003 said fass.de
        ("https://💩.la", "https://xn--ls8h.la"),  # not of IDNA 2008, but browsers open it
        ("https://a_b.example", "https://a_b.example"),
        ("https://-a-.example", "https://-a-.example"),
        ("https://ａ。b", "https://a.b"),
        ("https://a\u00adb.vn", "https://ab.vn"),
        ("https://１２７.０.０.１", "https://127.0.0.1"),
        ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
        ("http://[2001:DB8::00A1]", "http://[2001:db8::a1]"),
        ("http://[::FFFF:1.2.3.4]", "http://[::ffff:102:304]"),
    ],
)
def test_normalize_origin_gives_what_browsers_send(declared: str, sent: str) -> None:
    """A declared origin becomes what a browser sends, and that stays as it is."""
    assert normalize_origin(declared) == sent
    assert normalize_origin(sent) == sent_origin(sent) == sent


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        ("", "must begin with http"),
        ("example.vn", "must begin with http"),
        ("//example.vn", "must begin with http"),
        ("https:/example.vn", "must begin with http"),
        ("ftp://example.vn", "must begin with http"),
        ("null", "must begin with http"),
        ("https://", "no host"),
        ("https://.", "no host"),
        ("https:///tin", "path"),
        ("https://example.vn/tin", "path"),
        ("https://example.vn?", "path"),
        ("https://example.vn#", "path"),
        ("https://example.vn\\", "path"),
        ("https://example.vn, https://other.vn", "space"),
        (" https://example.vn", "space"),
        ("https://example.vn\n", "space"),
        ("https://exa mple.vn", "space"),
        ("https://editor:secret@example.vn", "user name"),
        ("https://*.example.vn", "wildcard"),
        ("https://example.vn:*", "port"),
        ("https://example.vn:0", "port"),
        ("https://example.vn:65536", "port"),
        ("https://example.vn:99999999999999999999", "port"),
        ("https://example.vn:٤٤", "port"),
        ("https://example..vn", "empty part"),
        ("https://ex%61mple.vn", "character"),
        ("https://exa|mple.vn", "character"),
        ("https://a\u200db.vn", "invisible"),
        ("https://xn--zzzzzzzz.vn", "xn--zzzzzzzz"),
        ("https://xn--.vn", "Punycode"),
        (f"https://{'a' * 64}.vn", "63"),
        (f"https://{'a.' * 130}vn", "253"),
        ("https://127.1", "192.0.2.1"),
        ("https://0x7f.1", "192.0.2.1"),
        ("https://1.2.3.256", "192.0.2.1"),
        ("https://::1", "brackets"),
        ("https://[::1", "brackets"),
        ("https://[::g]", "IPv6"),
        ("https://[fe80::1%25eth0]", "zone"),
    ],
)
def test_normalize_origin_that_can_never_match_is_refused(declared: str, reason: str) -> None:
    """What no browser sends is refused with one sentence, and matches nothing when it arrives as a header."""
    with pytest.raises(InvalidOriginError, match=reason) as refused:
        normalize_origin(declared)
    assert "\n" not in str(refused.value)
    assert sent_origin(declared) is None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.VN:443/tin.html?a=b#c", "https://example.vn"),
        ("https://editor:secret@example.vn/", "https://example.vn"),
        ("http://[::1]:8080/x", "http://[::1]:8080"),
        ("android-app://com.example/", None),
        ("about:blank", None),
        ("http://[bad/", None),
        ("", None),
        ("https://" + "a" * 10_000, None),
    ],
)
def test_origin_of_url_is_that_of_its_page(url: str, origin: str | None) -> None:
    """A referrer has its page's origin; a URL of another kind has none."""
    assert origin_of_url(url) == origin


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Example.VN", "example.vn"),
        ("example.vn:80", "example.vn"),
        ("example.vn:443", "example.vn"),
        ("example.vn.:8080", "example.vn:8080"),
        ("[::1]:80", "[::1]"),
        ("xn--hi-hu-v11bzc.vn", "xn--hi-hu-v11bzc.vn"),
        ("", None),
        ("a b", None),
        ("a/b", None),
        ("user@a", None),
        ("a" * 10_000, None),
    ],
)
def test_sent_host_is_normalised_like_an_origin(header: str, host: str | None) -> None:
    """A Host header is compared by the same rules; what is no host gives None."""
    assert sent_host(header) == host


def test_is_loopback_of_addresses_of_this_machine() -> None:
    """Only addresses that no visitor elsewhere can open are loopback."""
    assert all(map(is_loopback, ("http://localhost:8080", "http://127.0.0.1", "https://[::1]:1")))
    assert not any(map(is_loopback, ("http://localhost.example", "http://a.localhost:80", "http://127.0.0.2")))
    assert (without_port("[::1]:80"), without_port("[::1]"), without_port("a:1")) == ("[::1]", "[::1]", "a")
