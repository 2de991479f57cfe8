"""Links of a structure that lead elsewhere."""

import pytest

from services.ingest.structure.links import is_external


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x.vn/", True),
        ("https://x.vn/a?b#c", True),
        ("https://x.vn?a=b", True),
        ("https://x.vn#a", True),
        ("https://good.vn@evil.example/", False),
        ("https://good.vn?@evil.example/", True),
        ("https://x.vn:99999/", False),
        ("http://x.vn/", False),
        ("//x.vn/", False),
        ("https://", False),
        ("https://user:pass@x.vn/", False),
        ("https://x.vn/a b", False),
        ("javascript:alert(1)", False),
    ],
)
def test_only_https_addresses_lead_to_another_site(url: str, expected: bool) -> None:
    """Nothing that a browser would run, and no password."""
    assert is_external(url) is expected
