"""Where images may be fetched from."""

import pytest

from services.ingest.imports.fetching.targets import hosts_of, parse_hosts
from shared.http.targets import RequestError, parse_target


@pytest.mark.parametrize(
    ("hosts", "url", "is_allowed"),
    [
        ("cu.example", "https://cu.example/a", True),
        ("cu.example", "http://CU.example:443/a", True),
        ("cu.example", "https://cu.example:8443/a", False),
        ("cu.example:8443", "https://cu.example:8443/a", True),
        ("cu.example:8443", "https://cu.example/a", False),
        ("cu.example", "https://anh.cu.example/a", False),
        ("*.cu.example", "https://anh.cu.example/a", True),
        ("*.cu.example", "https://cu.example/a", False),
        ("*.cu.example", "https://xcu.example/a", False),
        ("cu.example", "https://cu.example.ke-xau.example/a", False),
        ("a.example, B.example", "https://b.example/a", True),
        ("[2606:4700::1]:8080", "http://[2606:4700:0::1]:8080/", True),
    ],
)
def test_allowed_hosts_check_name_and_port(hosts: str, url: str, is_allowed: bool) -> None:
    """A host is allowed by its name or the end of it; another port than 80 and 443 has to be named."""
    allowed = parse_hosts(hosts)
    if is_allowed:
        allowed.check(parse_target(url))
    else:
        with pytest.raises(RequestError, match="is not allowed: see --fetch-hosts"):
            allowed.check(parse_target(url))


@pytest.mark.parametrize("text", ["", ",", "https://cu.example", "cu.example/a", "an@cu.example", "*", "cu.example:x"])
def test_parse_hosts_refuses_what_is_no_host(text: str) -> None:
    """A list of hosts has neither URLs nor user names, and is not empty."""
    with pytest.raises(RequestError):
        parse_hosts(text)


def test_hosts_of_addresses_have_both_forms_with_www() -> None:
    """The hosts of an item's own addresses are allowed with and without `www.`; what is no URL allows nothing."""
    hosts = hosts_of(["https://www.cu.example/bai-1.html", "tag:cu.example,2020:1", "", "an-1", "http://moi.example"])
    for host in ("cu.example", "www.cu.example", "moi.example", "www.moi.example"):
        hosts.check(parse_target(f"http://{host}/a.png"))
    with pytest.raises(RequestError):
        hosts_of(["an-1"]).check(parse_target("http://an-1/a.png"))
