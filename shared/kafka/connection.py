"""How every client reaches Kafka: where it is, over TLS or not, and as whom. Built from the settings, once."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
PROBE_SECONDS = 3.0
NO_TLS_ANSWER = ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""What OpenSSL says when the other side does not speak TLS."""
WANTED: Mapping[Protocol, str] = {
    "PLAINTEXT": "TLS or a password (KAFKA_SECURITY_PROTOCOL)",
    "SASL_PLAINTEXT": "TLS (KAFKA_SECURITY_PROTOCOL)",
    "SSL": "a certificate (KAFKA_CERTIFICATE_FILE) or a password (KAFKA_SECURITY_PROTOCOL)",
    "SASL_SSL": "something else (KAFKA_SECURITY_PROTOCOL)",
}
"""What may be missing, for a broker says nothing when it ends a connection."""
_SASL: Mapping[Mechanism, Callable[..., BaseSecurity]] = {
    "SCRAM-SHA-512": SASLScram512,
    "SCRAM-SHA-256": SASLScram256,
    "PLAIN": SASLPlaintext,
}


@dataclass(frozen=True)
class KafkaConfig:
    """Where Kafka is, and how to be let in."""

    bootstrap: str
    """host:port,host:port"""
    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """Verifies the broker's certificate and name, always; None without TLS."""

    def __str__(self) -> str:
        """Return where it is, for messages."""
        return self.bootstrap

    @property
    def client(self) -> dict[str, Any]:
        """Arguments of every aiokafka client."""
        return {"bootstrap_servers": self.bootstrap, **self._connection}

    @property
    def _connection(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.tls}
        if self.protocol.startswith("SASL"):
            arguments |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return arguments

    @property
    def security(self) -> BaseSecurity:
        """The same for a FastStream broker."""
        if self.protocol.startswith("SASL"):
            return _SASL[self.mechanism](self.username, self.password, ssl_context=self.tls)
        return BaseSecurity(ssl_context=self.tls)

    async def diagnose(self) -> str:
        """Try to be let in, and say in words what is in the way: aiokafka's own error does not tell."""
        reasons = []
        for host, port, _ in collect_hosts(self.bootstrap):
            reason = await self._try(host, port)
            if reason is None:
                return f"Kafka at {host}:{port} answers again"
            reasons.append(f"Kafka at {host}:{port} {reason}")
        return "; ".join(reasons)

    async def describe_error(self, error: BaseException) -> str:
        """Say in words what a client met."""
        return await self.diagnose() if isinstance(error, KafkaConnectionError) else f"Kafka at {self}: {error!r}"

    async def _try(self, host: str, port: int) -> str | None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                connection = await create_conn(
                    host, port, request_timeout_ms=int(PROBE_SECONDS * 1000), **self._connection
                )
                try:
                    await connection.send(MetadataRequest([]))
                finally:
                    connection.close()
        except (OSError, KafkaError) as error:
            return self._describe(error)
        return None

    def _describe(self, error: Exception) -> str:
        match error:
            case ssl.SSLCertVerificationError():
                words = f"shows a certificate that is not trusted (KAFKA_CA_FILE): {error.verify_message}"
            case ssl.SSLError() if error.reason in NO_TLS_ANSWER:
                words = f"does not speak TLS, and KAFKA_SECURITY_PROTOCOL is {self.protocol}"
            case ssl.SSLError():
                words = f"breaks TLS off: {error.reason}. Does it ask for a certificate (KAFKA_CERTIFICATE_FILE)?"
            case SaslAuthenticationFailed() | AuthenticationFailedError():
                words = f"refuses user {self.username!r} or its password (KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD)"
            case UnsupportedSaslMechanismError():
                words = f"does not know KAFKA_SASL_MECHANISM {self.mechanism}"
            case IllegalSaslStateError():
                words = f"asks for no password there, and KAFKA_SECURITY_PROTOCOL is {self.protocol}"
            case TimeoutError():
                words = f"does not answer within {PROBE_SECONDS:g} s"
            case OSError():
                words = f"cannot be reached: {error.strerror or error}"
            case _:
                words = f"ends the connection, as it does when it wants {WANTED[self.protocol]} ({error!r})"
        return words


def tls_context(
    ca: Path | None, certificate: Path | None, key: Path | None, key_password: str | None
) -> ssl.SSLContext:
    """Return what verifies brokers, and shows our own certificate if there is one.

    Args:
        ca: PEM of the authorities that are trusted; None trusts those of the system.
        certificate: PEM of our certificate and its chain.
        key: PEM of its key.
        key_password: Of the key, if it is encrypted.

    Raises:
        OSError: a file cannot be read, or holds something else (ssl.SSLError).
    """
    context = ssl.create_default_context(cafile=ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key, password=lambda: key_password or "")
    return context


def config_errors(given: Mapping[str, Any]) -> list[str]:
    """Say which settings of Kafka do not fit together, by the variables' names.

    Args:
        given: What was set, by the names of the variables; the values may be wrong.
    """
    protocol = given.get("KAFKA_SECURITY_PROTOCOL") or "PLAINTEXT"
    if protocol not in get_args(Protocol):
        return []  # that is told already
    faults = []
    sasl = ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
    tls = ("KAFKA_CA_FILE", "KAFKA_CERTIFICATE_FILE", "KAFKA_KEY_FILE")
    if protocol.startswith("SASL"):
        faults += [
            f"{name}: missing; KAFKA_SECURITY_PROTOCOL {protocol} needs it" for name in sasl if not given.get(name)
        ]
    else:
        faults += [f"{name}: KAFKA_SECURITY_PROTOCOL {protocol} does not use it" for name in sasl if given.get(name)]
    if not protocol.endswith("SSL"):
        faults += [f"{name}: KAFKA_SECURITY_PROTOCOL {protocol} does not use it" for name in tls if given.get(name)]
        return faults
    for one, other in (tls[1:], tls[:0:-1]):
        if given.get(one) and not given.get(other):
            faults.append(f"{other}: missing; {one} needs it")
    ca, certificate, key = (_path(given.get(name)) for name in tls)
    try:
        ssl.create_default_context(cafile=ca)
    except OSError as error:
        faults.append(f"KAFKA_CA_FILE: {ca}: {_file_fault(error)}")
    if certificate is not None and key is not None:
        try:
            tls_context(None, certificate, key, given.get("KAFKA_KEY_PASSWORD"))
        except OSError as error:
            faults.append(f"KAFKA_CERTIFICATE_FILE, KAFKA_KEY_FILE: {certificate}, {key}: {_file_fault(error)}")
    return faults


def _path(value: Any) -> Path | None:
    return Path(value) if value else None


def _file_fault(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        words = {"KEY_VALUES_MISMATCH": "the key is not the certificate's", "NO_CERTIFICATE_OR_CRL_FOUND": "no PEM"}
        return words.get(error.reason or "", f"not usable: {error.reason or error}")
    return error.strerror or str(error)
