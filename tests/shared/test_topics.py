"""The Kafka topics: names, dead letters, retention, and the command's settings."""

import pytest
from aiokafka.errors import KafkaConnectionError

from shared.articles import Article
from shared.events import Adjustment, PageEvent, PageLive, RefusedOrigin
from shared.kafka.config import KafkaConfig
from shared.settings import SettingsError
from shared.site_structure import SiteStructure
from shared.topics import (
    ARTICLES,
    COUNTER_ADJUSTMENTS,
    DEAD_LETTER_CONFIG,
    PAGE_VIEWS,
    PAGES_LIVE,
    SITE_STRUCTURE,
    TOPICS,
    TopicSettings,
    create_topics,
)

DAY_MS = 86_400_000


def test_topics_are_the_four_of_the_contract_refused_origins_and_structure() -> None:
    """Names and message types are those that other programs use."""
    assert [(topic.name, topic.value) for topic in TOPICS] == [
        ("page-views", PageEvent),
        ("articles", Article),
        ("counter-adjustments", Adjustment),
        ("pages-live", PageLive),
        ("refused-origins", RefusedOrigin),
        ("site-structure", SiteStructure),
    ]


def test_topics_of_states_are_compacted_and_page_views_kept_seven_days() -> None:
    """Page views are deleted seven days after their arrival; of the others the newest of each key stays."""
    assert PAGE_VIEWS.config == {
        "cleanup.policy": "delete",
        "retention.ms": str(7 * DAY_MS),
        "retention.bytes": str(3 * 1024**3),
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "1048588",
    }
    for topic in (ARTICLES, COUNTER_ADJUSTMENTS, PAGES_LIVE, SITE_STRUCTURE):
        assert topic.config == {"cleanup.policy": "compact", "max.message.bytes": "1048588"}, topic.name


def test_dead_letters_of_each_topic_have_their_own_topic_for_thirty_days() -> None:
    """Each topic's dead letters go to `<topic>.dlq`, which Kafka keeps longer than the topic's records."""
    assert len({topic.dead_letters for topic in TOPICS}) == len(TOPICS)
    assert PAGE_VIEWS.dead_letters == "page-views.dlq"
    assert {
        "cleanup.policy": "delete",
        "retention.ms": str(30 * DAY_MS),
        "max.message.bytes": "1048588",
    } == DEAD_LETTER_CONFIG


def test_topics_are_hashable_although_their_settings_are_a_dict() -> None:
    """A topic can be a key, as in the depths of the dead letters."""
    assert {topic: topic.name for topic in TOPICS}[PAGES_LIVE] == "pages-live"


async def test_create_topics_without_a_broker_raises_kafka_error(free_ports: object) -> None:
    """A broker that cannot be reached is an error for the caller, who retries."""
    assert callable(free_ports)
    with pytest.raises(KafkaConnectionError):
        await create_topics(KafkaConfig(f"127.0.0.1:{free_ports(1)}"), 12, 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRESSTALLY_PARTITIONS", "0"),
        ("PRESSTALLY_PARTITIONS", "1001"),
        ("PRESSTALLY_REPLICATION", "0"),
        ("PRESSTALLY_REPLICATION", "two"),
    ],
)
def test_topic_settings_out_of_range_name_the_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Partitions and copies have bounds, and an error names its variable."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        TopicSettings.load()
