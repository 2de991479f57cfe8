"""Connections to Kafka by its configuration: FastStream's security, and why a connection cannot be made."""

import asyncio
import ssl
from collections.abc import Callable, Mapping

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

from shared.kafka.config import KafkaConfig, Mechanism, Protocol

PROBE_SECONDS = 3.0
NO_TLS_ANSWER = ("WRONG_VERSION_NUMBER", "UNEXPECTED_EOF", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
"""OpenSSL's reasons when the other side does not speak TLS."""
PROBABLY_MISSING: Mapping[Protocol, str] = {
    "PLAINTEXT": "TLS or a password (KAFKA_SECURITY_PROTOCOL)",
    "SASL_PLAINTEXT": "TLS (KAFKA_SECURITY_PROTOCOL)",
    "SSL": "a certificate (KAFKA_CERTIFICATE_FILE) or a password (KAFKA_SECURITY_PROTOCOL)",
    "SASL_SSL": "something else (KAFKA_SECURITY_PROTOCOL)",
}
"""What the broker may want: it closes a connection without a reason."""
_SASL: Mapping[Mechanism, Callable[..., BaseSecurity]] = {
    "SCRAM-SHA-512": SASLScram512,
    "SCRAM-SHA-256": SASLScram256,
    "PLAIN": SASLPlaintext,
}


def client_errors() -> tuple[type[Exception], ...]:
    """Return the errors of Kafka's clients, for processes that import this module when something failed."""
    return (KafkaError,)


def security(config: KafkaConfig) -> BaseSecurity:
    """Return TLS and authentication for a FastStream broker."""
    if config.protocol.startswith("SASL"):
        return _SASL[config.mechanism](config.username, config.password, ssl_context=config.tls)
    return BaseSecurity(ssl_context=config.tls)


async def diagnose(config: KafkaConfig) -> str:
    """Try to connect, and return what prevents it as a message: aiokafka's own error has no reason."""
    reasons = []
    for host, port, _ in collect_hosts(config.bootstrap):
        reason = await _try(config, host, port)
        if reason is None:
            return f"Kafka at {host}:{port} answers again"
        reasons.append(f"Kafka at {host}:{port} {reason}")
    return "; ".join(reasons)


async def describe_error(config: KafkaConfig, error: BaseException) -> str:
    """Return a message for an error that a Kafka client raised."""
    return await diagnose(config) if isinstance(error, KafkaConnectionError) else f"Kafka at {config}: {error!r}"


async def _try(config: KafkaConfig, host: str, port: int) -> str | None:
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            connection = await create_conn(
                host, port, request_timeout_ms=int(PROBE_SECONDS * 1000), **config.connection
            )
            try:
                await connection.send(MetadataRequest([]))
            finally:
                connection.close()
    except (OSError, KafkaError) as error:
        return _describe(config, error)
    return None


def _describe(config: KafkaConfig, error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            message = f"shows a certificate that is not trusted (KAFKA_CA_FILE): {error.verify_message}"
        case ssl.SSLError() if error.reason in NO_TLS_ANSWER:
            message = f"does not speak TLS, and KAFKA_SECURITY_PROTOCOL is {config.protocol}"
        case ssl.SSLError():
            message = f"aborts TLS: {error.reason}. Does it ask for a certificate (KAFKA_CERTIFICATE_FILE)?"
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            message = f"refuses user {config.username!r} or its password (KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD)"
        case UnsupportedSaslMechanismError():
            message = f"does not support KAFKA_SASL_MECHANISM {config.mechanism}"
        case IllegalSaslStateError():
            message = f"asks for no password there, and KAFKA_SECURITY_PROTOCOL is {config.protocol}"
        case TimeoutError():
            message = f"does not answer within {PROBE_SECONDS:g} s"
        case OSError():
            message = f"cannot be reached: {error.strerror or error}"
        case _:
            message = f"ends the connection, as it does when it wants {PROBABLY_MISSING[config.protocol]} ({error!r})"
    return message
