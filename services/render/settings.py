"""Settings of the render service."""

from pydantic import Field

from shared.http.client_address import TrustedProxies
from shared.object_store import StoreUrl
from shared.settings import Settings


class RenderSettings(Settings):
    """What the render service needs on top of the common settings."""

    articles_url: str = Field(
        default="",
        pattern=r"^(https?://[^/?#@\s]+/?)?$",
        description="Internal address of ingest's role articles, for previews; empty: no previews",
    )
    media: StoreUrl = ".local/media"
    hub_networks: TrustedProxies = Field(
        default=(), description="Networks of WebSub hubs that are allowed although they are not public"
    )
    group: str = Field(default="render-builder", description="Kafka consumer group of the builders")
    page_cache_bytes_max: int = Field(
        default=128 * 1024 * 1024, ge=0, description="Memory for pages that were made, in bytes"
    )
