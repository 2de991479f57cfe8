"""Where Kafka is: what clients are given, and what is never shown."""

from shared.kafka.config import KafkaConfig

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
