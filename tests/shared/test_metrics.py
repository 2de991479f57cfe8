"""Metrics that are observed many at once."""

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from shared.metrics import observe_all


def test_values_observed_together_are_those_observed_one_by_one() -> None:
    """Buckets, sum and number are the same, at the bounds and beyond the last one too."""
    values = [0.0, 0.005, 0.0051, 0.1, 0.5, 7.0, 7.5]
    texts = []
    for together in (True, False):
        registry = CollectorRegistry()
        histogram = Histogram("seconds", "For this test.", ["route"], buckets=(0.005, 0.1, 1), registry=registry)
        if together:
            observe_all(histogram.labels("/e"), values)
        else:
            for value in values:
                histogram.labels("/e").observe(value)
        texts.append(generate_latest(registry))
    assert texts[0] == texts[1]
    assert b'seconds_count{route="/e"} 7.0' in texts[0]
