"""The metric that takes batches."""

import numpy as np
import pytest
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services.stats.counting.rules import CountDeltas
from services.stats.counting.store import observe_commit
from services.stats.metrics import BatchHistogram

NAME = "presstally_event_delay_seconds"


def read(bound: str) -> float:
    value = REGISTRY.get_sample_value(f"{NAME}_bucket", {"le": bound})
    assert value is not None, bound
    return value


def test_batch_histogram_counts_every_value_in_its_bucket() -> None:
    """Cumulative buckets, count and sum are those of single observations; a value on a bound is below it."""
    histogram = BatchHistogram("test_delay_seconds", "A test.", (0.5, 1, 30))
    try:
        histogram.observe(np.array([0.1, 0.5, 0.7, 30.0, 31.0]))
        histogram.observe(np.array([], np.float64))
        (family,) = [
            one
            for one in text_string_to_metric_families(generate_latest(REGISTRY).decode())
            if one.name == "test_delay_seconds"
        ]
        found = {(one.name, one.labels.get("le")): one.value for one in family.samples}
        assert found[("test_delay_seconds_bucket", "0.5")] == 2
        assert found[("test_delay_seconds_bucket", "1.0")] == 3
        assert found[("test_delay_seconds_bucket", "30.0")] == 4
        assert found[("test_delay_seconds_bucket", "+Inf")] == found[("test_delay_seconds_count", None)] == 5
        assert found[("test_delay_seconds_sum", None)] == pytest.approx(62.3)
    finally:
        REGISTRY.unregister(histogram)


def test_delay_is_measured_from_arrival_and_weighted_by_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of yesterday that `/e/batch` sent now are not late, and a late batch counts with all its events."""
    monkeypatch.setattr("services.stats.counting.store.time.time", lambda: 2_000.0)
    on_time, whole = read("0.5"), read("+Inf")
    observe_commit([CountDeltas(arrived=np.full(7, 1_999_800))], 0.01)
    assert (read("0.5") - on_time, read("+Inf") - whole) == (7, 7)
    before_late = read("30.0")
    observe_commit([CountDeltas(arrived=np.full(1_000, 1_900_000))], 0.01)
    assert (read("30.0") - before_late, read("+Inf") - whole) == (0, 1_007)
    observe_commit([CountDeltas(arrived=np.full(3, 2_050_000))], 0.01)  # Kafka's clock is ahead
    assert read("0.5") - on_time == 10
