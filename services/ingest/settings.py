"""Settings of the ingest service."""

from pathlib import Path

from pydantic import Field

from shared.http.client_address import TrustedProxies
from shared.object_store import StoreUrl
from shared.settings import Settings


class IngestSettings(Settings):
    """What the ingest service needs on top of the common settings."""

    trusted_proxies: TrustedProxies = Field(default=(), description="Networks whose X-Forwarded-For is believed")
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
