"""The lag in seconds, from polls of the log's end."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from services.stats.counting.lag import Lag
from services.stats.counting.offset_reporter import OffsetReporter


def test_lag_is_the_wait_of_the_oldest_record() -> None:
    """Lag counts from the poll that first saw the oldest uncounted record, and falls to zero when all are counted."""
    lag = Lag()
    assert lag.update(100, 100, 5.0, 1000.0) == 0
    assert lag.update(150, 100, 5.0, 1001.0) == 0  # seen this very second
    assert lag.update(180, 100, 5.0, 1011.0) == 10
    assert lag.update(180, 150, 5.0, 1012.0) == 1  # the rest was first seen at 1011
    assert lag.update(180, 180, 5.0, 1013.0) == 0
    assert lag.update(180, 180, 5.0, 9000.0) == 0


def test_lag_after_a_restart_counts_from_the_newest_counted_record() -> None:
    """A counter that starts behind does not begin at zero: what waits came after the newest that is counted."""
    assert Lag().update(500, 100, 400.0, 1000.0) == 600
    assert Lag().update(500, 100, 0.0, 1000.0) == 0  # nothing was ever counted: unknown


async def test_lag_of_a_reloading_partition_grows() -> None:
    """A partition that reloads after a failed commit reports its lag; a revoked one reports none."""

    def gauge(name: str) -> float | None:
        return REGISTRY.get_sample_value(f"presstally_consumer_lag_{name}", {"partition": "77"})

    partition, ends = TopicPartition("page-views", 77), {"end": 100}
    owned: dict[TopicPartition, Any] = {}
    consumer = SimpleNamespace(assignment=lambda: {partition}, highwater=lambda _: ends["end"])
    reporter = OffsetReporter(owned, lambda: consumer, lambda: False, SimpleNamespace())  # type: ignore[arg-type]
    reporter.track_reloading(partition, SimpleNamespace(lag=Lag(), counted_up_to=90))  # type: ignore[arg-type]
    await reporter.update_lag()
    assert gauge("events") == 10
    ends["end"] = 130
    await asyncio.sleep(0.05)
    await reporter.update_lag()
    assert gauge("events") == 40
    assert (gauge("seconds") or 0) >= 0.02
    reporter.reset()
    await reporter.update_lag()
    assert (gauge("events"), gauge("seconds")) == (None, None)
