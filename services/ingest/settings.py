"""Settings of the ingest service."""

from pathlib import Path

from pydantic import Field, SecretStr

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
    articles_url: str = Field(
        default="",
        pattern=r"^(https?://[^/?#@\s]+/?)?$",
        description="Internal address of the role articles, for the pages of the role newsroom",
    )
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
    session_idle_minutes: int = Field(
        default=720, ge=5, le=43_200, description="A person's session ends after so long without a request"
    )
    session_days: int = Field(default=14, ge=1, le=365, description="A person's session ends after so long in any case")
    smtp_url: SecretStr = Field(
        default=SecretStr(""), description="Mail server: smtps://user:password@host, smtp://… with STARTTLS"
    )
    mail_from: str = Field(default="", max_length=254, description="Sender of mails: name@host")
    oidc_issuer: str = Field(default="", max_length=500, description="OpenID Connect provider for log-ins: its issuer")
    oidc_client_id: str = Field(default="", max_length=500, description="Client ID at the provider")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Client secret at the provider")
    oidc_name: str = Field(default="OpenID Connect", max_length=60, description="Name of the provider for people")
    oidc_scopes: str = Field(default="openid email profile", max_length=500, description="Scopes that are asked for")
    oidc_grants_claim: str = Field(default="", max_length=100, description="Claim of the ID token that gives rights")
    oidc_grants: str = Field(
        default="", description="Lines `value = scope:site:section …`: rights by values of the claim"
    )
