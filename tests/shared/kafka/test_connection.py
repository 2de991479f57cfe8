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

from shared.kafka.connection import KafkaConfig

SASL = KafkaConfig("a:9092", "SASL_PLAINTEXT", "SCRAM-SHA-512", "ann", "a-secret")


def test_password_is_never_shown() -> None:
    """Neither the text nor the representation of a configuration has its password."""
    assert str(SASL) == "a:9092"
    assert "a-secret" not in repr(SASL)


def test_client_arguments_depend_on_the_protocol() -> None:
    """A plain client has no user; one with SASL has user, password and mechanism."""
    assert KafkaConfig("a:9092").client == {
        "bootstrap_servers": "a:9092",
        "metadata_max_age_ms": 30_000,
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }
    assert SASL.client == {
        "bootstrap_servers": "a:9092",
        "metadata_max_age_ms": 30_000,
        "security_protocol": "SASL_PLAINTEXT",
        "ssl_context": None,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ann",
        "sasl_plain_password": "a-secret",
    }


@pytest.mark.parametrize(
    ("config", "security"),
    [
        (KafkaConfig("a"), BaseSecurity),
        (KafkaConfig("a", "SASL_SSL", "PLAIN", "u", "p"), SASLPlaintext),
        (KafkaConfig("a", "SASL_SSL", "SCRAM-SHA-256", "u", "p"), SASLScram256),
        (SASL, SASLScram512),
    ],
)
def test_broker_security_has_the_mechanism(config: KafkaConfig, security: type[BaseSecurity]) -> None:
    """FastStream gets the class of the mechanism."""
    assert type(config.security) is security


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
    described = SASL._describe(error)
    assert message in described
    assert "a-secret" not in described


async def test_describe_error_connects_only_if_that_tells_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the connection is diagnosed; any other one is described as it is."""

    async def diagnose(self: KafkaConfig) -> str:
        return "diagnosed"

    monkeypatch.setattr(KafkaConfig, "diagnose", diagnose)
    assert await SASL.describe_error(KafkaConnectionError()) == "diagnosed"
    assert await SASL.describe_error(KafkaTimeoutError()) == "Kafka at a:9092: KafkaTimeoutError()"


async def test_diagnose_names_each_broker() -> None:
    """Every address is tried, and the message has the reason of each."""
    message = await KafkaConfig("127.0.0.1:1,127.0.0.1:2").diagnose()
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
        message = await KafkaConfig(f"127.0.0.1:{port}").diagnose()
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
        message = await KafkaConfig(f"127.0.0.1:{port}").diagnose()
        ended.set()
    assert message == f"Kafka at 127.0.0.1:{port} does not answer within 0.2 s"
