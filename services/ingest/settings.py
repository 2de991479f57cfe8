"""Settings of the ingest service."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from shared.settings import Settings

Network = IPv4Network | IPv6Network


class IngestSettings(Settings):
    """What the ingest service needs on top of the common settings."""

    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="Networks whose X-Forwarded-For is believed, comma-separated"
    )
    publish_deadline_seconds: float = Field(
        default=3.0, gt=0, le=30, description="How long an event may wait for Kafka before the answer is 503"
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value
