"""Settings of the ingest service."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

from shared.media import StoreUrl
from shared.settings import Settings

Network = IPv4Network | IPv6Network


class IngestSettings(Settings):
    """What the ingest service needs on top of the common settings."""

    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        default=(), description="Networks whose X-Forwarded-For is believed, comma-separated"
    )
    publish_deadline_seconds: float = Field(
        default=3.0, gt=0, le=30, description="How long events wait for Kafka before they go to the spool"
    )
    spool: Path = Field(default=Path(".local/spool"), description="Folder that keeps events while Kafka is away")
    spool_bytes_max: int = Field(default=1024**3, ge=1024**2, description="Most bytes in one collector's spool")
    media: StoreUrl = ".local/media"
    rate_per_second: float = Field(
        default=100, ge=0, description="Events a second of one address on a site; 0 is no limit"
    )
    rate_burst: int = Field(default=2_000, ge=500, description="Events at once of one address on a site")

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
        return value
