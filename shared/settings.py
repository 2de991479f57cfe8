"""Settings from the environment, checked at the start: one error lists every invalid one."""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.http.client_address import TrustedProxies
from shared.kafka.config import KafkaConfig, Mechanism, Protocol, config_errors, tls_context
from shared.origins import InvalidOriginError, normalize_origin
from shared.tracing import TracingConfig, tracing_errors

PREFIX = "PRESSTALLY_"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SSL_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


def _public_url(text: str) -> str:
    try:
        return normalize_origin(text)
    except InvalidOriginError as error:
        raise ValueError(str(error)) from error  # pydantic's own


PublicUrl = Annotated[str, AfterValidator(_public_url)]


class SettingsError(Exception):
    """The environment is invalid; the message names every invalid variable, and no secret's value."""


class Settings(BaseSettings):
    """Settings of every service. Each variable may also come from a file: `NAME_FILE=/run/secrets/name`."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, populate_by_name=True
    )

    kafka_bootstrap: str = Field(validation_alias="KAFKA_BOOTSTRAP", min_length=3, description="host:port,host:port")
    kafka_security_protocol: Protocol = Field(
        default="PLAINTEXT", validation_alias="KAFKA_SECURITY_PROTOCOL", description="PLAINTEXT, SSL, SASL_…"
    )
    kafka_sasl_mechanism: Mechanism = Field(
        default="SCRAM-SHA-512", validation_alias="KAFKA_SASL_MECHANISM", description="SCRAM-SHA-…, PLAIN"
    )
    kafka_sasl_username: str = Field(default="", validation_alias="KAFKA_SASL_USERNAME", description="User in Kafka")
    kafka_sasl_password: SecretStr = Field(
        default=SecretStr(""), validation_alias="KAFKA_SASL_PASSWORD", description="Its password"
    )
    kafka_ca_file: Path | None = Field(
        default=None, validation_alias="KAFKA_CA_FILE", description="PEM of the brokers' certificate authority"
    )
    kafka_certificate_file: Path | None = Field(
        default=None,
        validation_alias="KAFKA_CERTIFICATE_FILE",
        description="PEM of the client certificate",
    )
    kafka_key_file: Path | None = Field(
        default=None, validation_alias="KAFKA_KEY_FILE", description="PEM of that certificate's key"
    )
    kafka_key_password: SecretStr = Field(
        default=SecretStr(""), validation_alias="KAFKA_KEY_PASSWORD", description="Of the key, if it is encrypted"
    )
    database_url: SecretStr = Field(validation_alias="DATABASE_URL", description="postgresql://user:password@host/db")
    sites: Path = Field(default=Path("sites.toml"), description="File, or folder of files, that declares the sites")
    replication: int = Field(
        default=1, ge=1, le=7, description="Copies of each topic: when it is created, and at least so many later"
    )
    http_host: str = Field(default="127.0.0.1", description="Address of the service's internal port")
    http_port: int = Field(default=0, ge=0, le=65535, description="The service's internal port; 0 takes a free one")
    public_url: PublicUrl | None = Field(
        default=None, description="Address of a copy for trying, instead of a first origin at localhost"
    )
    trusted_proxies: TrustedProxies = Field(default=(), description="Networks whose X-Forwarded-For is trusted")
    revision: str = Field(
        default="unknown",
        # Not \w: with all letters of Unicode, repeated, the compiled pattern would take 6 MB in each process.
        pattern=r"^[A-Za-z0-9_.+-]{1,64}$",
        description="Of the source, for the metric presstally_build_info",
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least severe level logged"
    )
    tracing: bool = Field(default=False, description="Send traces of publishing by OTLP over HTTP: on or off")
    otel_exporter_otlp_endpoint: str = Field(
        default="http://localhost:4318",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="OTLP receiver",
    )
    otel_exporter_otlp_headers: SecretStr = Field(
        default=SecretStr(""), validation_alias="OTEL_EXPORTER_OTLP_HEADERS", description="Headers for it: name=value,…"
    )

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: one or more variables are missing or invalid.
        """
        errors: list[str] = []
        from_files = cls._from_files(errors)
        settings = None
        try:
            settings = cls(**from_files)
        except ValidationError as error:
            for item in error.errors():
                name = variable_name(cls, str(item["loc"][0]))
                errors.append(f"{name}: {'missing' if item['type'] == 'missing' else item['msg']}")
        given = {variable_name(cls, field): value for field, value in from_files.items()}
        errors += config_errors({**os.environ, **given})
        errors += _database_errors(given.get("DATABASE_URL") or os.environ.get("DATABASE_URL"))
        if settings is not None and settings.traces:
            errors += tracing_errors(settings.traces, os.environ)
        if settings is not None and not errors:
            return settings
        lines = "\n".join(f"  {error}" for error in errors)
        raise SettingsError(f"{len(errors)} invalid setting(s):\n{lines}")

    @cached_property
    def kafka(self) -> KafkaConfig:
        """How every client connects to Kafka."""
        key_password = self.kafka_key_password.get_secret_value()
        encrypted = self.kafka_security_protocol.endswith("SSL")
        return KafkaConfig(
            self.kafka_bootstrap,
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_sasl_username,
            self.kafka_sasl_password.get_secret_value(),
            tls_context(self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file, key_password)
            if encrypted
            else None,
        )

    @property
    def traces(self) -> TracingConfig | None:
        """How traces are sent; None if tracing is off."""
        if not self.tracing:
            return None
        return TracingConfig(self.otel_exporter_otlp_endpoint, self.otel_exporter_otlp_headers.get_secret_value())

    @classmethod
    def _from_files(cls, errors: list[str]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for field in cls.model_fields:
            name = variable_name(cls, field)
            file = os.environ.get(f"{name}_FILE")
            if file is None:
                continue
            try:
                values[field] = Path(file).read_text(encoding="utf-8").rstrip("\n")
            except OSError as error:
                errors.append(f"{name}_FILE: {file}: {error.strerror}")
            except UnicodeDecodeError:
                errors.append(f"{name}_FILE: {file}: not UTF-8")
        return values


def variable_name(settings: type[Settings], field: str) -> str:
    """Return the environment variable that fills a field (given by its name or its alias)."""
    info = settings.model_fields.get(field)
    if info is None:  # pydantic reports a missing aliased field by its alias
        return field
    return str(info.validation_alias) if info.validation_alias else f"{PREFIX}{field.upper()}"


def _database_errors(url: str | None) -> list[str]:
    """Return what is invalid in a database URL, without its secrets: the driver would retry indefinitely."""
    if not url:
        return []  # reported already
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        parts.port  # noqa: B018 - raises if it is invalid
    except ValueError:
        return ["DATABASE_URL: not postgresql://user:password@host:port/database"]
    errors = []
    if parts.scheme not in ("postgresql", "postgres"):
        errors.append("DATABASE_URL: must begin with postgresql://")
    mode = asked.get("sslmode", ["prefer"])[-1]
    if mode not in SSL_MODES:
        errors.append(f"DATABASE_URL: sslmode {mode!r} must be one of {', '.join(SSL_MODES)}")
    for name in SSL_FILES:
        unreadable = [file for file in asked.get(name, []) if not os.access(file, os.R_OK)]
        errors += [f"DATABASE_URL: {name}: {file} cannot be read" for file in unreadable]
    if mode.startswith("verify") and "sslrootcert" not in asked and "PGSSLROOTCERT" not in os.environ:
        errors.append(f"DATABASE_URL: sslmode={mode} needs sslrootcert=FILE, the server's certificate authority")
    return errors
