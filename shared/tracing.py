"""Traces of publishing: from an editor's request through Kafka to the page, and back to "it is live".

A trace goes on by its W3C `traceparent`: in a request's headers, beside the message in the outbox, in Kafka's headers.
Only what comes with one, and what editors or the schedule change, is traced; nothing else in this project is.

OpenTelemetry is an optional set of packages. Nothing of it is imported before tracing is on, and all of it is here.
"""

import asyncio
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from aiokafka.structs import ConsumerRecord

from shared import __version__

PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_HEADER = re.compile(r"""\s*[!#-'*+\-.0-9A-Z^-z|~]+\s*=[^"\\;\x00-\x1f\x7f-\U0010ffff]*""")
READS = frozenset({"GET", "HEAD", "OPTIONS"})
FLUSH_SECONDS = 1.0
"""How long a stop waits for the last spans. They are worth less than a stop within its bound."""
KEY = "messaging.kafka.message.key"
Carrier = Mapping[str, str]
"""`traceparent`, and `tracestate` if there is one; empty if nothing is traced."""


@dataclass(frozen=True)
class TracingConfig:
    """Where spans go.

    Attributes:
        endpoint: Base URL of an OTLP receiver over HTTP.
        headers: What it wants as headers, such as a key: `name=value,name=value`.
    """

    endpoint: str
    headers: str = field(default="", repr=False)


@dataclass(frozen=True)
class _Running:
    provider: Any
    tracer: Any
    propagator: Any


_running: _Running | None = None


def tracing_errors(access: TracingConfig, environment: Mapping[str, str]) -> list[str]:
    """Say in words why tracing cannot be on, without showing a key: the SDK would log one that it cannot read."""
    faults = []
    endpoint = access.endpoint
    if not all(_is_installed(name) for name in PACKAGES):
        faults.append("PRESSTALLY_TRACING: its packages are not installed: requirements-tracing.txt has them")
    elsewhere = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": elsewhere or endpoint}
    faults += [f"{name}: not http://…" for name, url in named.items() if not url.startswith(("http://", "https://"))]
    for name, headers in zip(HEADERS, (access.headers, environment.get(HEADERS[1], "")), strict=True):
        if not all(_HEADER.fullmatch(part) for part in headers.split(",") if part):
            faults.append(f"{name}: not name=value,name=value")
    faults += [
        f"{name}: {environment[name]!r} is not offered, only http/protobuf"
        for name in PROTOCOLS
        if environment.get(name, "http/protobuf") != "http/protobuf"
    ]
    return faults


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent
        return False


def start_tracing(service: str, access: TracingConfig | None) -> None:
    """Trace from now on, if it is on. What the usual OTEL_ variables say of sampling, batches and the like holds."""
    global _running  # noqa: PLW0603 - as with logs, a process has one
    if access is None or _running is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    from opentelemetry.util.re import parse_env_headers

    ours = {"service.version": __version__}
    if "OTEL_SERVICE_NAME" not in os.environ:
        ours["service.name"] = f"presstally-{service}"
    elsewhere = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    headers = {} if os.environ.get(HEADERS[1]) else parse_env_headers(access.headers, liberal=True)
    exporter = OTLPSpanExporter(
        endpoint=elsewhere or access.endpoint.rstrip("/") + "/v1/traces", headers=headers or None
    )
    provider = TracerProvider(resource=Resource.create(ours), shutdown_on_exit=False)
    # A thread of its own sends; what does not fit into its queue is dropped, so nobody ever waits for it.
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _running = _Running(provider, provider.get_tracer("presstally", __version__), TraceContextTextMapPropagator())


async def stop_tracing() -> None:
    """Send what is left, within FLUSH_SECONDS."""
    global _running  # noqa: PLW0603
    if _running is None:
        return
    # The SDK's own stop may take half a minute; a thread that nobody joins cannot hold the process.
    stopping = threading.Thread(target=_running.provider.shutdown, daemon=True)
    _running = None
    stopping.start()
    await asyncio.to_thread(stopping.join, FLUSH_SECONDS)


def http_telemetry() -> dict[str, Any]:
    """Return FastAPI's `telemetry`: a span for each request that changes something, and nothing beside it.

    Reads have none: those who wait for "is it live?" would bury the rest.
    """
    other = {"metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
    if _running is None:
        return {"tracing": False, **other}
    return {"tracing": True, "tracer_provider": _running.provider, "exclude": _is_read, **other}


def _is_read(scope: Mapping[str, Any]) -> bool:
    return scope.get("method") in READS


def start_outbox_span(topic: str, key: str) -> Carrier:
    """Note that a message is committed to the outbox, and return what it takes along."""
    if _running is None:
        return {}
    span = _running.tracer.start_span(f"{topic} create", kind=_kind("PRODUCER"), attributes=_message(topic, key))
    try:
        return _carrier(span)
    finally:
        span.end()


@contextmanager
def producer_span(topic: str, key: str, carrier: Carrier | None = None) -> Iterator[list[tuple[str, bytes]]]:
    """Trace the sending of a message, and yield its Kafka headers; empty if it belongs to no trace.

    Args:
        topic: Where it is sent to.
        key: Its key.
        carrier: What it took along from the outbox; without one, it belongs to what is under way here.
    """
    if _running is None:
        yield _headers(carrier or {})
        return
    from opentelemetry.trace import get_current_span

    parent = None if carrier is None else _running.propagator.extract(carrier, context={})
    if not get_current_span(parent).get_span_context().is_valid:
        yield []
        return
    attributes = _message(topic, key)
    span = _running.tracer.start_span(f"{topic} send", context=parent, kind=_kind("PRODUCER"), attributes=attributes)
    try:
        yield _headers(_carrier(span))
    except BaseException as error:
        _fail(span, error)
        raise
    finally:
        span.end()


def record_failure(error: BaseException) -> None:
    """Mark what is under way as failed, by the kind of error: its text may hold what was written."""
    if _running is not None:
        from opentelemetry.trace import get_current_span

        _fail(get_current_span(), error)


def _fail(span: Any, error: BaseException) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(StatusCode.ERROR)


def _kind(name: str) -> Any:
    from opentelemetry.trace import SpanKind

    return SpanKind[name]


def _message(topic: str, key: str) -> dict[str, str]:
    return {"messaging.system": "kafka", "messaging.destination.name": topic, KEY: key}


def _carrier(span: Any) -> dict[str, str]:
    from opentelemetry.trace import set_span_in_context

    assert _running is not None
    carrier: dict[str, str] = {}
    _running.propagator.inject(carrier, context=set_span_in_context(span))
    return carrier


def _headers(carrier: Carrier) -> list[tuple[str, bytes]]:
    return [(name, value.encode()) for name, value in carrier.items()]


def consumer_middlewares() -> Sequence[Any]:
    """Return FastStream's telemetry for a broker's subscribers; none if tracing is off.

    FastStream would begin a trace for each record without one, and call it "create". Here such a record has none:
    a topic that is read again from its beginning is nobody's request.
    """
    if _running is None:
        return ()
    from faststream.kafka.opentelemetry.provider import KafkaTelemetrySettingsProvider
    from faststream.opentelemetry import TelemetryMiddleware
    from opentelemetry.metrics import NoOpMeterProvider

    class Attributes(KafkaTelemetrySettingsProvider):
        """As FastStream has them, but the key as text, and no size of what is empty."""

        def get_consume_attrs_from_message(self, msg: Any) -> dict[str, Any]:
            attributes = super().get_consume_attrs_from_message(msg)
            destination = {"messaging.destination.name": msg.raw_message.topic}
            key = (msg.raw_message.key or b"").decode("utf-8", "replace")
            return {name: value for name, value in attributes.items() if value is not None} | destination | {KEY: key}

    def of_traced(record: ConsumerRecord | None) -> Attributes | None:
        is_traced = record is not None and any(name == "traceparent" for name, _ in record.headers)
        return Attributes() if is_traced else None

    return (
        TelemetryMiddleware(
            settings_provider_factory=of_traced,
            tracer_provider=_running.provider,
            meter_provider=NoOpMeterProvider(),
        ),
    )
