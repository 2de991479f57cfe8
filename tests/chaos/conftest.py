"""A broker and a database server that several modules share; each of their tests begins with an empty log."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.cluster import Cluster, Installation


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A broker and a database server that tests may kill, if they start them again."""
    cluster = Cluster(tmp_path_factory.mktemp("chaos"))
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def here(cluster: Cluster) -> AsyncIterator[Installation]:
    """An empty log, an empty database, and a new consumer group."""
    await cluster.begin_new_log()
    installation = await cluster.install(cluster.log_reader(set()))
    yield installation
    await installation.stop()
