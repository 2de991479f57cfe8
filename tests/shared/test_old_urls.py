"""Former URLs: what is accepted, and the address by which the portal finds an article."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.old_urls import OldUrlError, old_address, old_addresses


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("/a%20b.aspx?id=7", "/a b.aspx?id=7"),
        ("/c%C5%A9.htm", "/cũ.htm"),
        ("/?p=12&fbclid=x", "/?p=12&fbclid=x"),
        ("/a?", "/a"),
        ("/a?b=%20", "/a?b=%20"),
    ],
)
def test_old_address_is_the_decoded_path_and_the_query_as_sent(url: str, address: str) -> None:
    """Two spellings of a path are one address."""
    assert old_address(url) == address
    assert old_addresses([f"https://cu.example{url}#top", url]) == [address]


@pytest.mark.parametrize(
    "url",
    [
        "/",
        "/?fbclid=1",
        "/?UTM_source=x",
        "/?page=2",
        "/?p",
        "//x",
        "a",
        "",
        "/../x",
        "/%2e%2e/x",
        "/a%",
        "/%ff",
        "/a?b=%ff",
    ]
    + [f"/a{bad}" for bad in '"\\{}<>`^|*[]#\x00\n\x7f\u202e'],
)
def test_old_address_of_the_home_page_or_with_other_characters_is_refused(url: str) -> None:
    """No old URL takes the home page by a tracking parameter, or leaves a quoted text of a server's configuration."""
    with pytest.raises(OldUrlError):
        old_address(url)


@given(st.text(max_size=60))
def test_old_address_never_has_a_special_character(text: str) -> None:
    """Whatever is accepted has none of the characters that end or begin something in a configuration."""
    for address in old_addresses(["/" + text]):
        assert not set(address) & set('"\\<>`*\n\r\t\x00#|^')
        assert "{$" not in address
        assert address.startswith("/")
