"""How clients connect to Kafka, and what is said when they cannot."""

import asyncio
import ssl
from typing import Any

import pytest
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaTimeoutError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from shared.kafka.config import KafkaConfig
from shared.kafka.connection import _describe, describe_error, diagnose, security

SASL = KafkaConfig("a:9092", "SASL_PLAINTEXT", "SCRAM-SHA-512", "ann", "a-secret")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (KafkaConfig("a"), BaseSecurity),
        (KafkaConfig("a", "SASL_SSL", "PLAIN", "u", "p"), SASLPlaintext),
        (KafkaConfig("a", "SASL_SSL", "SCRAM-SHA-256", "u", "p"), SASLScram256),
        (SASL, SASLScram512),
    ],
)
def test_broker_security_has_the_mechanism(config: KafkaConfig, expected: type[BaseSecurity]) -> None:
    """FastStream gets the class of the mechanism."""
    assert type(security(config)) is expected


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (tls_error("WRONG_VERSION_NUMBER"), "does not speak TLS, and KAFKA_SECURITY_PROTOCOL is SASL_PLAINTEXT"),
        (tls_error("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "Does it ask for a certificate (KAFKA_CERTIFICATE_FILE)?"),
        (SaslAuthenticationFailed(), "refuses user 'ann' or its password (KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD)"),
        (UnsupportedSaslMechanismError(), "does not support KAFKA_SASL_MECHANISM SCRAM-SHA-512"),
        (IllegalSaslStateError(), "asks for no password there"),
        (TimeoutError(), "does not answer within 3 s"),
        (OSError(111, "Connection refused"), "cannot be reached: Connection refused"),
        (KafkaConnectionError(), "ends the connection, as it does when it wants TLS (KAFKA_SECURITY_PROTOCOL)"),
    ],
)
def test_description_names_the_setting(error: Exception, message: str) -> None:
    """Each error of a connection is explained, with the setting that may be wrong, and without the password."""
    described = _describe(SASL, error)
    assert message in described
    assert "a-secret" not in described


async def test_describe_error_connects_only_if_that_tells_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the connection is diagnosed; any other one is described as it is."""

    async def diagnose(_: KafkaConfig) -> str:
        return "diagnosed"

    monkeypatch.setattr("shared.kafka.connection.diagnose", diagnose)
    assert await describe_error(SASL, KafkaConnectionError()) == "diagnosed"
    assert await describe_error(SASL, KafkaTimeoutError()) == "Kafka at a:9092: KafkaTimeoutError()"


async def test_diagnose_names_each_broker() -> None:
    """Every address is tried, and the message has the reason of each."""
    message = await diagnose(KafkaConfig("127.0.0.1:1,127.0.0.1:2"))
    assert sorted(part.split(" cannot")[0] for part in message.split("; ")) == [
        "Kafka at 127.0.0.1:1",
        "Kafka at 127.0.0.1:2",
    ]


async def test_diagnose_of_a_server_that_hangs_up() -> None:
    """A server that closes the connection, as a broker with TLS does, is described with what it may want."""

    async def hang_up(reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        message = await diagnose(KafkaConfig(f"127.0.0.1:{port}"))
    assert message.startswith(f"Kafka at 127.0.0.1:{port} ")
    assert "KAFKA_SECURITY_PROTOCOL" in message or "cannot be reached" in message


async def test_diagnose_of_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never answers is given up after a bounded time."""
    monkeypatch.setattr("shared.kafka.connection.PROBE_SECONDS", 0.2)
    ended = asyncio.Event()

    async def say_nothing(reader: Any, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        message = await diagnose(KafkaConfig(f"127.0.0.1:{port}"))
        ended.set()
    assert message == f"Kafka at 127.0.0.1:{port} does not answer within 0.2 s"
