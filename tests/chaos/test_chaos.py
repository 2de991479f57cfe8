"""The most important faults, each under load, and the negative controls. `make chaos` runs all faults."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.chaos.cluster import Cluster
from tests.chaos.faults import FAULTS, FaultRunner
from tests.chaos.negative_controls import CONTROLS, run_control

SEED = 20_261_125
SELECTED = [
    "commit-reply-lost",
    "counter-killed",
    "kill-inside",
    "kill-after",
    "postgres-killed",
    "stop-before",
]
ALWAYS_RUN = {"no-compare-and-set", "read-uncommitted"}
"""Negative controls; `make test-long` and `make chaos` run all."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A broker and a database server that faults may kill."""
    cluster = Cluster(tmp_path_factory.mktemp("chaos"))
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner(cluster: Cluster) -> AsyncIterator[FaultRunner]:
    """One history for all faults."""
    runner = FaultRunner(cluster, SEED)
    yield runner
    await runner.close()


@pytest.mark.parametrize("name", SELECTED)
async def test_counts_are_exact_under_faults(runner: FaultRunner, name: str) -> None:
    """After a fault under load, every number in Postgres and over HTTP is the expected one of the history."""
    verdict = await runner.run(FAULTS[name])
    assert verdict.findings == []


async def test_verify_restart_and_rebuild_after_faults_change_nothing(runner: FaultRunner) -> None:
    """After these faults `verify` finds no drift, and other counters and a rebuild show the same numbers."""
    assert (await runner.finish()).findings == []


@pytest.mark.parametrize(
    "name", [one if one in ALWAYS_RUN else pytest.param(one, marks=pytest.mark.long) for one in CONTROLS]
)
async def test_broken_counter_is_detected(cluster: Cluster, name: str) -> None:
    """A counter without one of its safeguards is detected; an intact one on the same log is exact."""
    intact, broken = await run_control(cluster, CONTROLS[name], SEED)
    assert intact.findings == []
    assert broken.findings != []
