"""The values that the reference model expects."""

from services.stats.admin.reference_values import Expected, PartitionValues


def test_expected_values_of_nothing_are_nothing() -> None:
    """What no record touched is 0 or missing, and partitions share no value."""
    expected = Expected()
    expected.partitions = {0: PartitionValues(), 1: PartitionValues()}
    assert (expected.counts, expected.ledger, expected.records) == ({}, {}, 0)
    expected.partitions[0].evidence |= {}  # as a window that ends
    assert expected.partitions[0].evidence is not expected.partitions[1].evidence
