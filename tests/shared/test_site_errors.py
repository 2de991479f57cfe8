"""What an operator reads about a key of the sites' configuration that does not fit its type."""

from typing import Any

import msgspec
import pytest

from shared.site_errors import describe_validation_error
from shared.sites import Site

GOOD = {"slug": "xa", "name": "Xã", "origins": ["https://xa.example"], "timezone": "Asia/Ho_Chi_Minh"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"slug": "Xã Hải"}, "slug may have lower-case letters, digits and hyphens only"),
        ({"name": ""}, "name must have at least 1 characters"),
        ({"name": "x" * 151}, "name must have at most 150 characters"),
        ({"name": 5}, "name must be text in quotation marks, not a number"),
        ({"origins": []}, "origins must have at least 1 elements"),
        ({"origins": "https://xa.example"}, "origins must be a list in square brackets, not text in quotation marks"),
        ({"identity": "xa.example"}, 'identity must look like "tag:haihau.example,2026"'),
        ({"emblem": "star.png"}, "emblem must be a path that begins with one slash"),
        ({"hub": "xa.example"}, "hub must begin with http:// or https://"),
        ({"hub": ["https://a.example/", "xa.example"]}, "hub[1] must begin with http:// or https://"),
        ({"hub": ["https://a.example/"] * 6}, "hub must have at most 5 elements"),
        (
            {"hub": 5},
            "hub must be text in quotation marks, or a list of such texts in square brackets, not a number",
        ),
        ({"statistics": "privat"}, "statistics 'privat' must be public or token"),
        ({"default_measure": "clicks"}, "default_measure 'clicks' must be views, visits or visitors"),
        ({"sections": ["tin"]}, 'sections[0] must be a table such as { key = "value" }, not text in quotation marks'),
        ({"sections": [{"slug": "tin"}]}, "without the key name in sections[0]"),
        (
            {"sections": [{"slug": "Tin", "name": "x"}]},
            "sections[0].slug may have lower-case letters, digits and hyphens only",
        ),
        ({"sectoins": []}, "unknown key sectoins"),
        ({"separate_approver": "no"}, "separate_approver must be true or false, not text in quotation marks"),
    ],
)
def test_validation_error_of_a_site_is_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    """Every limit of a site's keys has a sentence without types and regular expressions of the program."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(GOOD | changes, Site)
    assert describe_validation_error(caught.value) == sentence


def test_validation_error_of_another_kind_is_kept() -> None:
    """What has no sentence is shown as it is."""
    assert describe_validation_error(msgspec.ValidationError("odd - at `$.x`")) == "odd - at `$.x`"
