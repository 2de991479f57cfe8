"""Settings of the ingest service."""

from pathlib import Path

from pydantic import Field

from shared.http.client_address import TrustedProxies
from shared.object_store import StoreUrl
from shared.settings import Settings


class IngestSettings(Settings):
    """The settings of the ingest service, in addition to the common ones."""

    publish_deadline_seconds: float = Field(
        default=3.0, gt=0, le=30, description="How long events wait for Kafka before they are spooled"
    )
    spool: Path = Field(
        default=Path(".local/spool"), description="Folder of the spool, for events while Kafka is unavailable"
    )
    spool_bytes_max: int = Field(
        default=1024**3, ge=1024**2, description="Size limit of one collector's spool in bytes"
    )
    media: StoreUrl = ".local/media"
    webhook_networks: TrustedProxies = Field(
        default=(), description="Networks of webhooks' receivers that are allowed although they are not public"
    )
    file_bytes_max: int = Field(
        default=50 * 1024**2, ge=1024**2, le=60 * 1024**2, description="Size limit of an uploaded document in bytes"
    )
    rate_per_second: float = Field(
        default=100, ge=0, description="Events per second of one address on a site; 0 means no limit"
    )
    rate_burst: int = Field(default=2_000, ge=500, description="Burst of events of one address on a site")
