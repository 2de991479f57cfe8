"""Whom an outgoing request may reach: addresses that are public, and the parts of URLs."""

import pytest

from shared.http.targets import RequestError, Target, is_public, parse_target
from tests.ingest.imports.fetching.hostile_server import PUBLIC

NOT_PUBLIC = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1"),
    *("100.64.0.1", "100.100.100.200", "169.254.169.254", "172.16.0.1", "172.31.255.255"),
    *("192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1"),
    *("198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255"),
    *("240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::8.8.8.8", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1"),
    *("2002:7f00:1::", "2002:808:808::1"),
    *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1"),
    *("fe80::1%eth0", "fec0::1", "ff02::1", "2606:4700::1%1"),
    *("localhost", "2130706433", "0177.0.0.1", "0x7f.1", "127.1"),
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_is_public_address_of_no_public_network_is_false(address: str) -> None:
    """Addresses of this machine, its networks, documentation, tunnels and clouds are not public, in any notation."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", PUBLIC, "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_is_public_address_of_the_internet_is_true(address: str) -> None:
    """Addresses of the internet are public, also behind NAT64."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://Cu.Example/a.jpg", Target("http", "cu.example", 80, "/a.jpg")),
        ("https://cu.example.:8443/a b".replace(" ", "%20"), Target("https", "cu.example", 8443, "/a%20b")),
        ("http://cu.example", Target("http", "cu.example", 80, "/")),
        ("https://cu.example/ảnh chợ.jpg?w=1&x=đ#y".replace(" ", "_"), None),
        ("http://[::1]:80/", Target("http", "::1", 80, "/")),
        ("http://hảihậu.example/", Target("http", "xn--hihu-5na8804a.example", 80, "/")),
    ],
)
def test_parse_target_returns_parts_in_ascii(url: str, expected: Target | None) -> None:
    """Hosts are normalized, paths and queries encoded, fragments dropped."""
    target = parse_target(url)
    if expected is not None and "xn--" not in expected.host:
        assert target == expected
    assert f"{target.host}{target.path}".isascii()
    assert "#" not in target.path


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://cu.example/a", "file:///etc/passwd", "gopher://cu.example/", "//cu.example/a", "data:image/png,x", ""),
        *("http://an:mat-khau@cu.example/a", "http://an@cu.example/", "http://@cu.example/", "http:///a", "http://"),
        *("http://cu.example:99999/", "http://cu.example:x/", "http://cu.example\\@127.0.0.1/", "http://[::1"),
        *("http://cu.example/a b", "http://cu.example/\r\nHost: x", "http://cu\t.example/", "http://[fe80::1%25eth0]/"),
        *("http://cu_.exa mple/", "http://-/", "http://cu.example/" + "a" * 2_000, "http://%31%32%37.0.0.1/"),
    ],
)
def test_parse_target_refuses_what_is_no_plain_http_url(url: str) -> None:
    """Other schemes, user names, invalid hosts and ports, blanks and control characters are refused with a reason."""
    with pytest.raises(RequestError) as refused:
        parse_target(url)
    assert str(refused.value)


def test_target_host_header_has_the_port_unless_it_is_the_default() -> None:
    """The header Host has the port where it is not that of the scheme."""
    urls = ["http://cu.example", "https://cu.example:443", "http://cu.example:8080", "https://[2606::1]:80"]
    headers = [parse_target(url).host_header for url in urls]
    assert headers == ["cu.example", "cu.example", "cu.example:8080", "[2606::1]:80"]
