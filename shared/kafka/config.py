"""Where Kafka is and how its clients authenticate: read from the settings, once.

Imports no client of Kafka: most processes that read the settings have none.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
SESSION_TIMEOUT_MS = 6_000
"""Silence after which Kafka reassigns a dead consumer's partitions: the least that brokers allow by default."""
READ_COMMITTED: Final = "read_committed"
"""The isolation level of every consumer: aborted records are skipped, those of an open transaction wait. With
it `end_offsets` returns the last stable offset: the end of what can be read now."""
METADATA_MAX_AGE_MS = 5_000
"""How soon counters learn of new partitions, and of a topic that was created again."""
CLIENT_METADATA_MAX_AGE_MS = 30_000
"""The same of all other clients, of which a process has up to ten: they ask when they need it, or when a broker refuses
a request. The answer names every partition of every topic."""


@dataclass(frozen=True)
class KafkaConfig:
    """Kafka's address, and how to authenticate."""

    bootstrap: str
    """host:port,host:port"""
    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """Verifies the broker's certificate and name, always; None without TLS."""

    def __str__(self) -> str:
        """Return the address, for messages."""
        return self.bootstrap

    @property
    def client(self) -> dict[str, Any]:
        """Arguments of every aiokafka client."""
        return {
            "bootstrap_servers": self.bootstrap,
            "metadata_max_age_ms": CLIENT_METADATA_MAX_AGE_MS,
            **self.connection,
        }

    @property
    def connection(self) -> dict[str, Any]:
        """Arguments of a connection of aiokafka: what a client has of TLS and authentication."""
        arguments: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.tls}
        if self.protocol.startswith("SASL"):
            arguments |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return arguments


def tls_context(
    ca: Path | None, certificate: Path | None, key: Path | None, key_password: str | None
) -> ssl.SSLContext:
    """Return the TLS context of a client.

    Args:
        ca: PEM of the trusted authorities; None: those of the system.
        certificate: PEM of the client's certificate and its chain, if brokers require one.
        key: PEM of its key.
        key_password: Of the key, if it is encrypted.

    Raises:
        OSError: a file cannot be read, or is not what it should be (ssl.SSLError).
    """
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key, password=lambda: key_password or "")
    return context


def config_errors(given: Mapping[str, Any]) -> list[str]:
    """Return which settings of Kafka contradict each other, by the variables' names.

    Args:
        given: The variables that are set; their values may be invalid.
    """
    protocol = given.get("KAFKA_SECURITY_PROTOCOL") or "PLAINTEXT"
    if protocol not in get_args(Protocol):
        return []  # reported already
    errors = []
    sasl = ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
    tls = ("KAFKA_CA_FILE", "KAFKA_CERTIFICATE_FILE", "KAFKA_KEY_FILE")
    if protocol.startswith("SASL"):
        errors += [
            f"{name}: missing; KAFKA_SECURITY_PROTOCOL {protocol} needs it" for name in sasl if not given.get(name)
        ]
    else:
        errors += [f"{name}: KAFKA_SECURITY_PROTOCOL {protocol} does not use it" for name in sasl if given.get(name)]
    if not protocol.endswith("SSL"):
        errors += [f"{name}: KAFKA_SECURITY_PROTOCOL {protocol} does not use it" for name in tls if given.get(name)]
        return errors
    for one, other in (tls[1:], tls[:0:-1]):
        if given.get(one) and not given.get(other):
            errors.append(f"{other}: missing; {one} needs it")
    ca, certificate, key = (_path(given.get(name)) for name in tls)
    try:
        ssl.create_default_context(cafile=ca)
    except OSError as error:
        errors.append(f"KAFKA_CA_FILE: {ca}: {_describe_file_error(error)}")
    if certificate is not None and key is not None:
        try:
            tls_context(None, certificate, key, given.get("KAFKA_KEY_PASSWORD"))
        except OSError as error:
            reason = _describe_file_error(error)
            errors.append(f"KAFKA_CERTIFICATE_FILE, KAFKA_KEY_FILE: {certificate}, {key}: {reason}")
    return errors


def _path(value: Any) -> Path | None:
    return Path(value) if value else None


def _describe_file_error(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        reasons = {"KEY_VALUES_MISMATCH": "the key is not the certificate's", "NO_CERTIFICATE_OR_CRL_FOUND": "no PEM"}
        return reasons.get(error.reason or "", f"not usable: {error.reason or error}")
    return error.strerror or str(error)
