"""Front matter is bounded while it is parsed."""

import pytest

from services.ingest.imports.front_matter_bounds import (
    FRONT_MATTER_CHARACTERS_MAX,
    FRONT_MATTER_DEPTH_MAX,
    FRONT_MATTER_VALUES_MAX,
    load_front_matter,
)
from services.ingest.imports.item import FormatError


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a" * (FRONT_MATTER_CHARACTERS_MAX + 1), "at most 65,536 characters"),
        ("a: " + "[" * FRONT_MATTER_DEPTH_MAX + "]" * FRONT_MATTER_DEPTH_MAX, "nested more than 20 levels"),
        ("a: [" + "b, " * FRONT_MATTER_VALUES_MAX + "c]", "more than 5,000 values"),
        ("a: &a b\nc: *a", "an alias"),
        ("a: !!python/object:os.system {}", "an object of Python"),
        ("a: b\na: c", "the field 'a' twice"),
        ("a: [", "not YAML"),
    ],
)
def test_front_matter_beyond_a_bound_is_refused_with_its_reason(text: str, says: str) -> None:
    """Each bound has a sentence of its own."""
    with pytest.raises(FormatError, match=says):
        load_front_matter(text)
