"""Settings of the render service."""

from typing import Self

from pydantic import Field

from services.render.pages.theme_check import prove
from shared.object_store import StoreUrl
from shared.settings import Settings
from shared.sites import read_sites


class RenderSettings(Settings):
    """What the render service needs on top of the common settings."""

    media: StoreUrl = ".local/media"
    group: str = Field(default="render-builder", description="Kafka consumer group of the builders")
    page_cache_bytes_max: int = Field(
        default=128 * 1024 * 1024, ge=0, description="Memory for pages that were made, in bytes"
    )

    @classmethod
    def load(cls) -> Self:
        """Read the environment, and prove that pages can be made by each site's theme.

        Raises:
            SettingsError: one or more variables are missing or wrong.
            SitesError: the sites' file or a theme cannot be used.
        """
        settings = super().load()
        for site in read_sites(settings.sites).values():
            prove(site)
        return settings
