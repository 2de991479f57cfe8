"""The short form of the restore drill: an older Postgres and an intact Kafka. `make restore-drill` has all pairs."""

from pathlib import Path

import pytest

from tests.restore.drill import PAIRS, Pair, Portal


@pytest.mark.long
@pytest.mark.timeout(900)
def test_restore_drill_with_an_older_postgres(tmp_path: Path) -> None:
    """After the documented restore all is public and counted that was, and no version or number comes again."""
    portal = Portal(tmp_path)
    try:
        portal.live()
        portal.restore(Pair("older", "same"))
    finally:
        portal.stop()


def test_drill_knows_all_pairs() -> None:
    """Each store is older and empty beside each state of the other."""
    assert len(PAIRS) == 8
    assert {pair.state() for pair in PAIRS} == {"new", "old", "none"}
