"""Slugs of tags and people in URLs."""

import pytest

from shared.slugs import name_slug


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Chợ phiên", "cho-phien"),
        ("Đồng Bằng", "dong-bang"),
        ("C & D", "c-d"),
        ("C", "c"),
        ("C++", "c-plus-plus"),
        ("C#", "c-sharp"),
        ("#C", "c"),
        ("1+1", "1-1"),
        ("!!!", ""),
        ("x" * 80, "x" * 60),
    ],
)
def test_name_slug_is_ascii_or_empty(name: str, slug: str) -> None:
    """A name's slug has letters and digits only, at most 60; without any it is empty."""
    assert name_slug(name) == slug
