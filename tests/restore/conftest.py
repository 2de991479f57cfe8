"""The broker of these tests."""

import pytest


@pytest.fixture(scope="session")
def bootstrap(broker_alone: str) -> str:
    """The address of a real broker; each test deletes the topics of the one before."""
    return broker_alone
