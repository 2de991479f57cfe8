"""Settings: one error lists everything that is invalid."""

import sys
from pathlib import Path

import pytest
import trustme

from services.ingest.settings import IngestSettings
from shared.settings import SettingsError

GOOD = {"KAFKA_BOOTSTRAP": "127.0.0.1:9092", "DATABASE_URL": "postgresql://u:secret@127.0.0.1/db"}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL", "PRESSTALLY_SITES", "PRESSTALLY_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)


def test_every_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error names each missing and each invalid variable."""
    monkeypatch.setenv("PRESSTALLY_HTTP_PORT", "many")
    monkeypatch.setenv("PRESSTALLY_LOG_LEVEL", "loud")
    monkeypatch.setenv("PRESSTALLY_TRUSTED_PROXIES", "everybody")
    with pytest.raises(SettingsError) as error:
        IngestSettings.load()
    text = str(error.value)
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL", "_HTTP_PORT", "_LOG_LEVEL", "_TRUSTED_PROXIES"):
        assert name in text
    assert text.startswith("5 invalid setting(s)")


def test_secrets_come_from_files_and_are_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """DATABASE_URL_FILE fills DATABASE_URL; no error and no print shows what it holds."""
    (tmp_path / "url").write_text(GOOD["DATABASE_URL"] + "\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", GOOD["KAFKA_BOOTSTRAP"])
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    settings = IngestSettings.load()
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert settings.database_url.get_secret_value() not in repr(settings)
    assert ":secret@" not in repr(settings)
    monkeypatch.setenv("PRESSTALLY_HTTP_PORT", "x")
    with pytest.raises(SettingsError) as error:
        IngestSettings.load()
    assert "secret" not in str(error.value)


def test_missing_secret_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A *_FILE that cannot be read is an error that names it."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", GOOD["KAFKA_BOOTSTRAP"])
    monkeypatch.setenv("DATABASE_URL_FILE", "/nowhere/url")
    with pytest.raises(SettingsError, match="DATABASE_URL_FILE: /nowhere/url: No such file"):
        IngestSettings.load()


def errors_of(monkeypatch: pytest.MonkeyPatch, **given: str) -> list[str]:
    """Return the errors of an environment; none if it is valid."""
    for name, value in {**GOOD, **given}.items():
        monkeypatch.setenv(name, value)
    try:
        IngestSettings.load()
    except SettingsError as error:
        return [line.strip() for line in str(error).splitlines()[1:]]
    return []


SASL = {"KAFKA_SASL_USERNAME": "u", "KAFKA_SASL_PASSWORD": "a-secret"}
NOWHERE = "/nowhere/x.pem"
COMBINATIONS: list[tuple[dict[str, str], list[str]]] = [
    ({}, []),
    ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, []),
    ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", **SASL}, []),
    ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SASL_MECHANISM": "PLAIN", **SASL}, []),
    (
        {"KAFKA_SECURITY_PROTOCOL": "TLS"},
        ["KAFKA_SECURITY_PROTOCOL: Input should be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or 'SASL_SSL'"],
    ),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
        [
            "KAFKA_SASL_USERNAME: missing; KAFKA_SECURITY_PROTOCOL SASL_SSL needs it",
            "KAFKA_SASL_PASSWORD: missing; KAFKA_SECURITY_PROTOCOL SASL_SSL needs it",
        ],
    ),
    (
        SASL,
        [
            "KAFKA_SASL_USERNAME: KAFKA_SECURITY_PROTOCOL PLAINTEXT does not use it",
            "KAFKA_SASL_PASSWORD: KAFKA_SECURITY_PROTOCOL PLAINTEXT does not use it",
        ],
    ),
    ({"KAFKA_CA_FILE": NOWHERE}, ["KAFKA_CA_FILE: KAFKA_SECURITY_PROTOCOL PLAINTEXT does not use it"]),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": NOWHERE},
        [f"KAFKA_CA_FILE: {NOWHERE}: No such file or directory"],
    ),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERTIFICATE_FILE": NOWHERE},
        ["KAFKA_KEY_FILE: missing; KAFKA_CERTIFICATE_FILE needs it"],
    ),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_KEY_FILE": NOWHERE},
        ["KAFKA_CERTIFICATE_FILE: missing; KAFKA_KEY_FILE needs it"],
    ),
    ({"DATABASE_URL": "mysql://u:a-secret@h/d"}, ["DATABASE_URL: must begin with postgresql://"]),
    (
        {"DATABASE_URL": "postgresql://u:a-secret@h:port/d"},
        ["DATABASE_URL: not postgresql://user:password@host:port/database"],
    ),
    (
        {"DATABASE_URL": "postgresql://u:a-secret@h/d?sslmode=full"},
        ["DATABASE_URL: sslmode 'full' must be one of disable, allow, prefer, require, verify-ca, verify-full"],
    ),
    (
        {"DATABASE_URL": "postgresql://u:a-secret@h/d?sslmode=verify-full"},
        ["DATABASE_URL: sslmode=verify-full needs sslrootcert=FILE, the server's certificate authority"],
    ),
    (
        {"DATABASE_URL": f"postgresql://u:a-secret@h/d?sslmode=verify-full&sslrootcert={NOWHERE}"},
        [f"DATABASE_URL: sslrootcert: {NOWHERE} cannot be read"],
    ),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "PRESSTALLY_HTTP_PORT": "many", "KAFKA_SASL_USERNAME": "u"},
        [
            "PRESSTALLY_HTTP_PORT: Input should be a valid integer, unable to parse string as an integer",
            "KAFKA_SASL_PASSWORD: missing; KAFKA_SECURITY_PROTOCOL SASL_SSL needs it",
        ],
    ),
]


@pytest.mark.parametrize(("given", "said"), COMBINATIONS)
def test_contradicting_settings_are_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: list[str]
) -> None:
    """Each setting of TLS and passwords that is missing, unused or invalid is in the one list, and no secret is."""
    found = errors_of(monkeypatch, **given)
    assert found == said
    assert not any("a-secret" in line for line in found)


def test_certificates_are_checked_at_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Files that are not PEM, and a key of another certificate, are errors; valid ones are accepted."""
    authority = trustme.CA()
    own, another = authority.issue_cert("a.example"), authority.issue_cert("b.example")
    ca, certificate, key, other_key, rubbish = (tmp_path / name for name in ("ca", "certificate", "key", "other", "no"))
    authority.cert_pem.write_to_path(str(ca))
    own.cert_chain_pems[0].write_to_path(str(certificate))
    own.private_key_pem.write_to_path(str(key))
    another.private_key_pem.write_to_path(str(other_key))
    rubbish.write_text("no PEM")
    files = {"KAFKA_CA_FILE": str(ca), "KAFKA_CERTIFICATE_FILE": str(certificate), "KAFKA_KEY_FILE": str(key)}
    files |= {"KAFKA_SECURITY_PROTOCOL": "SSL"}
    assert errors_of(monkeypatch, **files) == []
    (said,) = errors_of(monkeypatch, **files | {"KAFKA_CA_FILE": str(rubbish)})
    assert said == f"KAFKA_CA_FILE: {rubbish}: no PEM"
    (said,) = errors_of(monkeypatch, **files | {"KAFKA_KEY_FILE": str(other_key)})
    assert said.endswith(f"{other_key}: the key is not the certificate's")


@pytest.mark.parametrize(
    ("text", "is_on"), [("on", True), ("true", True), ("1", True), ("off", False), ("false", False), ("0", False)]
)
def test_tracing_accepts_on_and_true(monkeypatch: pytest.MonkeyPatch, text: str, is_on: bool) -> None:
    """PRESSTALLY_TRACING is on or off, true or false."""
    for name, value in {**GOOD, "PRESSTALLY_TRACING": text}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("shared.settings.tracing_errors", lambda *_: [])
    assert IngestSettings.load().tracing is is_on


WRONG_TRACING = [
    ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "OTEL_EXPORTER_OTLP_ENDPOINT: not http://…"),
    ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector"}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: not http://…"),
    ({"OTEL_EXPORTER_OTLP_HEADERS": "a-secret"}, "OTEL_EXPORTER_OTLP_HEADERS: not name=value,name=value"),
    (
        {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "k=v,a-secret"},
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS: not name=value,name=value",
    ),
    (
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        "OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' is not supported, only http/protobuf",
    ),
]


@pytest.mark.parametrize(("given", "said"), WRONG_TRACING)
def test_tracing_settings_are_checked_if_it_is_on(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    """Invalid tracing settings are errors at the start, without keys; while tracing is off they are ignored."""
    assert errors_of(monkeypatch, PRESSTALLY_TRACING="off", **given) == []
    assert said in errors_of(monkeypatch, PRESSTALLY_TRACING="on", **given)
    assert not [one for one in errors_of(monkeypatch) if "secret" in one]


def test_tracing_without_its_packages_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tracing without its packages is an error that names the file that has them; its key may come from a file."""
    (tmp_path / "key").write_text("authorization=Bearer%20a-secret,x-team=web\n")
    on = {"PRESSTALLY_TRACING": "on", "OTEL_EXPORTER_OTLP_HEADERS_FILE": str(tmp_path / "key")}
    assert errors_of(monkeypatch, **on) == []
    traces = IngestSettings.load().traces
    assert traces is not None
    assert (traces.headers, "secret" in repr(traces)) == ("authorization=Bearer%20a-secret,x-team=web", False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    (said,) = errors_of(monkeypatch, **on)
    assert said == "PRESSTALLY_TRACING: its packages are not installed; they are in requirements-tracing.txt"
