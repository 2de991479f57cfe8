"""The number of values in JSON."""

import pytest

from services.ingest.content.json_bounds import has_more_values


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"[]", 1),
        (b"[[],[]]", 4),
        (b'{"a":1}', 3),
        (b'["a,b,[{:","c"]', 4),
        (b'["\\",,,","\\\\"]', 4),
        (b'"', 1),
        (b"", 0),
        (b'["' + b"," * 100, 2),
    ],
)
def test_values_outside_strings_are_counted(content: bytes, count: int) -> None:
    """Separators, containers and strings count, what is inside a string does not; the bound itself passes."""
    assert not has_more_values(content, count)
    assert count == 0 or has_more_values(content, count - 1)


def test_count_ends_at_the_bound() -> None:
    """Unterminated strings and many of them take linear time and little memory."""
    assert has_more_values(b'"a",' * 1_000_000, 1_000)
    assert not has_more_values(b'"' + b"\\" * 1_000_000, 10)
    assert not has_more_values(b'"' + b"," * 1_000_000, 10)
