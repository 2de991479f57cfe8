"""Settings from the environment, checked at start: one error lists every bad one."""

import os
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "PRESSTALLY_"


class SettingsError(Exception):
    """The environment cannot be used; the message names every bad variable, and no secret's value."""


class Settings(BaseSettings):
    """What every service needs. Each variable may also come from a file: `NAME_FILE=/run/secrets/name`."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, populate_by_name=True
    )

    kafka_bootstrap: str = Field(validation_alias="KAFKA_BOOTSTRAP", min_length=3, description="host:port,host:port")
    database_url: SecretStr = Field(validation_alias="DATABASE_URL", description="postgresql://user:password@host/db")
    sites: Path = Field(default=Path("sites.toml"), description="The file that declares the sites")
    http_host: str = Field(default="127.0.0.1", description="Address of the service's internal port")
    http_port: int = Field(default=0, ge=0, le=65535, description="The service's internal port; 0 takes a free one")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/]+$",
        description="Where readers reach the portal; default: site's origin",
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least severe line shown"
    )

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: one or more variables are missing or wrong.
        """
        faults: list[str] = []
        try:
            return cls(**cls._from_files(faults))
        except ValidationError as error:
            for item in error.errors():
                name = variable_name(cls, str(item["loc"][0]))
                faults.append(f"{name}: {'missing' if item['type'] == 'missing' else item['msg']}")
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsError(f"{len(faults)} setting(s) cannot be used:\n{lines}")

    @classmethod
    def _from_files(cls, faults: list[str]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for field in cls.model_fields:
            name = variable_name(cls, field)
            file = os.environ.get(f"{name}_FILE")
            if file is None:
                continue
            try:
                values[field] = Path(file).read_text(encoding="utf-8").rstrip("\n")
            except OSError as error:
                faults.append(f"{name}_FILE: {file}: {error.strerror}")
        return values


def variable_name(settings: type[Settings], field: str) -> str:
    """Return the environment variable that fills a field (given by its name or its alias)."""
    info = settings.model_fields.get(field)
    if info is None:  # pydantic reports a missing aliased field by its alias
        return field
    return str(info.validation_alias) if info.validation_alias else f"{PREFIX}{field.upper()}"
