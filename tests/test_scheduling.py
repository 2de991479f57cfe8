"""How several workers share the tests: the files that are named exist, and each is given to one worker."""

import pytest

from tests.conftest import LONG_FIRST, ROOT, SHARED, scope_of


@pytest.mark.parametrize("name", SHARED)
def test_shared_files_exist_and_are_one_scope(name: str) -> None:
    """A file that was renamed is renamed here, too: it would start its fixture a second time."""
    for path in SHARED[name]:
        assert (ROOT / path).exists(), path
        assert scope_of(f"{path}::test_a[1]") == name


def test_long_scopes_exist() -> None:
    """What comes first is a file or a group of files, and everything else is a scope of its own."""
    assert [one for one in LONG_FIRST if one not in SHARED and not (ROOT / one).exists()] == []
    assert scope_of("tests/test_tidy.py::test_a") == "tests/test_tidy.py"
