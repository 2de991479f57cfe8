"""URLs without a page of their own."""

from typing import Any

import pytest

from services.render.site.redirects_and_gone import NoPage, Redirect, redirect_or_gone


@pytest.mark.parametrize(
    ("state", "is_public", "answer"),
    [
        ("published", True, Redirect("/a-1.html")),
        ("published", False, NoPage(404)),
        ("unpublished", False, NoPage(404)),
        ("archived", False, NoPage(404)),
        ("killed", False, NoPage(410)),
    ],
)
def test_other_url_of_article_by_state_redirects_or_is_gone(state: Any, is_public: bool, answer: Any) -> None:
    """Only a public article is redirected to; a killed one is gone for good, any other is not found."""
    assert redirect_or_gone("/a-1.html", state, is_public=is_public) == answer
