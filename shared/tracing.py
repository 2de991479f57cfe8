"""Traces of publishing: from an editor's request through Kafka to the page, and back to "it is live".

A trace continues by its W3C `traceparent`: in a request's headers, with the message in the outbox, in Kafka's headers.
Only changes by editors and by the schedule are traced, and whatever arrives with a `traceparent`.

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

from shared import __version__

PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_HEADER = re.compile(r"""\s*[!#-'*+\-.0-9A-Z^-z|~]+\s*=[^"\\;\x00-\x1f\x7f-\U0010ffff]*""")
READS = frozenset({"GET", "HEAD", "OPTIONS"})
FLUSH_SECONDS = 1.0
"""How long a stop waits for the last spans: a stop within its bound matters more."""
KEY = "messaging.kafka.message.key"
Carrier = Mapping[str, str]
"""`traceparent`, and `tracestate` if there is one; empty if nothing is traced."""


@dataclass(frozen=True)
class TracingConfig:
    """How spans are sent.

    Attributes:
        endpoint: Base URL of an OTLP receiver over HTTP.
        headers: Headers for it, such as a key: `name=value,name=value`.
    """

    endpoint: str
    headers: str = field(default="", repr=False)


@dataclass(frozen=True)
class _Running:
    provider: Any
    tracer: Any
    propagator: Any


_running: _Running | None = None


def tracing_errors(config: TracingConfig, environment: Mapping[str, str]) -> list[str]:
    """Return why tracing cannot be on, without its secrets: the SDK would log a header that it cannot parse."""
    errors = []
    endpoint = config.endpoint
    if not all(_is_installed(name) for name in PACKAGES):
        errors.append("PRESSTALLY_TRACING: its packages are not installed; they are in requirements-tracing.txt")
    traces_endpoint = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": traces_endpoint or endpoint}
    errors += [f"{name}: not http://…" for name, url in named.items() if not url.startswith(("http://", "https://"))]
    for name, headers in zip(HEADERS, (config.headers, environment.get(HEADERS[1], "")), strict=True):
        if not all(_HEADER.fullmatch(part) for part in headers.split(",") if part):
            errors.append(f"{name}: not name=value,name=value")
    errors += [
        f"{name}: {environment[name]!r} is not supported, only http/protobuf"
        for name in PROTOCOLS
        if environment.get(name, "http/protobuf") != "http/protobuf"
    ]
    return errors


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent
        return False


def start_tracing(service: str, config: TracingConfig | None) -> None:
    """Start tracing, if it is configured. The usual OTEL_ variables apply: sampling, batches and so on."""
    global _running  # noqa: PLW0603 - as with logs, a process has one
    if config is None or _running is not None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    from opentelemetry.util.re import parse_env_headers

    attributes = {"service.version": __version__}
    if "OTEL_SERVICE_NAME" not in os.environ:
        attributes["service.name"] = f"presstally-{service}"
    traces_endpoint = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    headers = {} if os.environ.get(HEADERS[1]) else parse_env_headers(config.headers, liberal=True)
    exporter = OTLPSpanExporter(
        endpoint=traces_endpoint or config.endpoint.rstrip("/") + "/v1/traces", headers=headers or None
    )
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    # It sends in a thread of its own and drops what does not fit into its queue, so that no caller waits.
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _running = _Running(provider, provider.get_tracer("presstally", __version__), TraceContextTextMapPropagator())


async def stop_tracing() -> None:
    """Send the remaining spans, within FLUSH_SECONDS."""
    global _running  # noqa: PLW0603
    if _running is None:
        return
    # The SDK's own stop may take half a minute; a daemon thread cannot block the process's exit.
    stopping = threading.Thread(target=_running.provider.shutdown, daemon=True)
    _running = None
    stopping.start()
    await asyncio.to_thread(stopping.join, FLUSH_SECONDS)


def http_telemetry() -> dict[str, Any]:
    """Return FastAPI's `telemetry`: a span for each request that changes something, and nothing else.

    Reads have none: clients that poll "is it live?" would hide the rest.
    """
    other = {"metrics": False, "logs": False, "operation_spans": False, "auto_configure": False}
    if _running is None:
        return {"tracing": False, **other}
    return {"tracing": True, "tracer_provider": _running.provider, "exclude": _is_read, **other}


def _is_read(scope: Mapping[str, Any]) -> bool:
    return scope.get("method") in READS


def start_outbox_span(topic: str, key: str) -> Carrier:
    """Record that a message is committed to the outbox, and return its trace context."""
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
        topic: Its topic.
        key: Its key.
        carrier: Its trace context from the outbox; None: the current span's.
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
    """Mark the current span as failed, by the type of error: its text may contain an article's content."""
    if _running is not None:
        from opentelemetry.trace import get_current_span

        _fail(get_current_span(), error)


def trace_exemplar() -> dict[str, str] | None:
    """Return the labels that link an observation to the current trace; None if that is not recorded."""
    if _running is None:
        return None
    from opentelemetry.trace import format_trace_id, get_current_span

    context = get_current_span().get_span_context()
    return {"trace_id": format_trace_id(context.trace_id)} if context.is_valid and context.trace_flags.sampled else None


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
    a topic that is read again from its beginning belongs to no request.
    """
    if _running is None:
        return ()
    from aiokafka.structs import ConsumerRecord
    from faststream.kafka.opentelemetry.provider import KafkaTelemetrySettingsProvider
    from faststream.opentelemetry import TelemetryMiddleware
    from opentelemetry.metrics import NoOpMeterProvider

    class Attributes(KafkaTelemetrySettingsProvider):
        """FastStream's attributes, with the key as text, and without the size of an empty value."""

        def get_consume_attrs_from_message(self, msg: Any) -> dict[str, Any]:
            attributes = super().get_consume_attrs_from_message(msg)
            destination = {"messaging.destination.name": msg.raw_message.topic}
            key = (msg.raw_message.key or b"").decode("utf-8", "replace")
            return {name: value for name, value in attributes.items() if value is not None} | destination | {KEY: key}

    def provider_of(record: ConsumerRecord | None) -> Attributes | None:
        is_traced = record is not None and any(name == "traceparent" for name, _ in record.headers)
        return Attributes() if is_traced else None

    return (
        TelemetryMiddleware(
            settings_provider_factory=provider_of,
            tracer_provider=_running.provider,
            meter_provider=NoOpMeterProvider(),
        ),
    )
