"""The fake Kafka of the publishers."""

import pytest

from services.ingest.collector import publisher as module
from tests.ingest.collector.fake_kafka import Broker, Producer


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    """The Kafka of all publishers of a test."""
    Producer.broker = Broker()
    monkeypatch.setattr(module, "BatchProducer", Producer)
    monkeypatch.setattr(module, "ORPHAN_SCAN_SECONDS", 0.05)
    monkeypatch.setattr(module, "PARTITIONS_SECONDS", 0.05)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.02)
    return Producer.broker
