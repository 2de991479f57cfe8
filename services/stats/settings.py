"""Settings of the stats service."""

import os
from pathlib import Path

from pydantic import Field, SecretStr

from shared.kafka.config import SESSION_TIMEOUT_MS
from shared.settings import Settings, SettingsError


class StatsSettings(Settings):
    """Settings of the stats service in addition to the common ones."""

    batch_records_max: int = Field(default=60_000, ge=1, le=100_000, description="Maximum records in one transaction")
    dead_letters_max: int = Field(
        default=500,
        ge=0,
        le=1_000_000,
        description="Dead letters among a thousand records of a partition that stop counting it",
    )
    session_timeout_ms: int = Field(
        default=SESSION_TIMEOUT_MS,
        ge=1_000,
        le=300_000,
        description="Time without a heartbeat after which Kafka assigns a counter's partitions to others",
    )
    statistics_tokens: SecretStr = Field(
        default=SecretStr(""),
        description="Lines `site token`: tokens for the statistics of sites that require one",
    )

    def read_statistics_tokens(self) -> str:
        """Return the tokens of this moment: those of a file may have changed, as when a site is added.

        Raises:
            SettingsError: the file cannot be read.
        """
        file = os.environ.get("PRESSTALLY_STATISTICS_TOKENS_FILE")
        if file is not None:
            try:
                return Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"PRESSTALLY_STATISTICS_TOKENS_FILE: {file}: {error}") from error
        return self.statistics_tokens.get_secret_value()

    group: str = Field(default="stats-counter", description="Kafka consumer group of the counters")
    live_streams_max: int = Field(default=10_000, ge=1, le=15_000, description="Maximum open live streams of a process")
    live_streams_per_address: int = Field(
        default=200,
        ge=1,
        le=15_000,
        description="Maximum open live streams of one address: a school is one address",
    )
