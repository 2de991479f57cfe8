"""Settings of the stats service."""

from pydantic import Field, SecretStr

from shared.http.client_address import TrustedProxies
from shared.kafka.consumer import SESSION_TIMEOUT_MS
from shared.settings import Settings


class StatsSettings(Settings):
    """What the stats service needs on top of the common settings."""

    batch_records_max: int = Field(default=40_000, ge=1, le=100_000, description="Most records in one transaction")
    dead_letters_max: int = Field(
        default=500,
        ge=0,
        le=1_000_000,
        description="Dead letters among a thousand records of a partition that stop the counter",
    )
    session_timeout_ms: int = Field(
        default=SESSION_TIMEOUT_MS,
        ge=1_000,
        le=300_000,
        description="Silence after which Kafka gives a counter's work to another",
    )
    statistics_tokens: SecretStr = Field(
        default=SecretStr(""),
        description="Lines `site token`: who may see the statistics of sites that ask for a token",
    )
    group: str = Field(default="stats-counter", description="Kafka consumer group of the counters")
    trusted_proxies: TrustedProxies = Field(default=(), description="Networks whose X-Forwarded-For is believed")
    live_streams_max: int = Field(default=10_000, ge=1, le=15_000, description="Most open live streams of a process")
    live_streams_per_address: int = Field(
        default=200, ge=1, le=15_000, description="Most open live streams of one address: a school is one address"
    )
