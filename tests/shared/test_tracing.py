"""Spans and their W3C context, through an exporter in memory."""

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared import tracing
from shared.tracing import (
    TracingConfig,
    consumer_middlewares,
    http_telemetry,
    producer_span,
    record_failure,
    start_outbox_span,
    start_tracing,
    stop_tracing,
    tracing_errors,
)

ENDPOINT = "http://localhost:4318"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Tracing that is on, with its spans in memory."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    running = tracing._Running(provider, provider.get_tracer("test"), TraceContextTextMapPropagator())
    monkeypatch.setattr(tracing, "_running", running)
    yield exporter
    provider.shutdown()


def trace_of(traceparent: str | bytes) -> str:
    text = traceparent.decode() if isinstance(traceparent, bytes) else traceparent
    version, trace, span, flags = text.split("-")
    assert (version, len(trace), len(span), int(flags, 16) & 1) == ("00", 32, 16, 1)
    return trace


@pytest.mark.parametrize(
    ("config", "environment", "names"),
    [
        (TracingConfig(ENDPOINT), {}, []),
        (TracingConfig(ENDPOINT, "key=a-secret,other=b"), {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, []),
        (TracingConfig("localhost:4317"), {}, ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]),
        (
            TracingConfig(ENDPOINT),
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "grpc://x"},
            ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"],
        ),
        (TracingConfig(ENDPOINT, "a-secret"), {}, ["OTEL_EXPORTER_OTLP_HEADERS"]),
        (TracingConfig(ENDPOINT, "a=b\n"), {}, ["OTEL_EXPORTER_OTLP_HEADERS"]),
        (
            TracingConfig(ENDPOINT),
            {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a-secret", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"},
            ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"],
        ),
    ],
)
def test_tracing_errors_name_each_variable_without_its_secret(
    config: TracingConfig, environment: dict[str, str], names: list[str]
) -> None:
    """Each invalid variable is named, and a header's value is never shown."""
    errors = tracing_errors(config, environment)
    assert [error.partition(":")[0] for error in errors] == names
    assert not [error for error in errors if "a-secret" in error]
    assert "a-secret" not in repr(config)


async def test_tracing_off_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """While tracing is off there are no spans, no headers and no middlewares; a stored context is passed on."""
    monkeypatch.setattr(tracing, "_running", None)
    start_tracing("ingest", None)
    assert start_outbox_span("articles", "a-1") == {}
    with producer_span("articles", "a-1") as headers:
        assert headers == []
    with producer_span("articles", "a-1", {"traceparent": "x"}) as headers:
        assert headers == [("traceparent", b"x")]
    record_failure(ValueError("x"))
    assert consumer_middlewares() == ()
    assert http_telemetry()["tracing"] is False
    await stop_tracing()


def test_producer_span_of_outbox_message_continues_its_trace(spans: InMemorySpanExporter) -> None:
    """The message's span is a child of the outbox span, in its trace, with topic and key."""
    carrier = start_outbox_span("articles", "a-1")
    with producer_span("articles", "a-1", carrier) as headers:
        sent = dict(headers)
    create, send = spans.get_finished_spans()
    assert (create.name, send.name) == ("articles create", "articles send")
    assert create.kind is send.kind is SpanKind.PRODUCER
    assert send.parent is not None
    assert send.parent.span_id == create.context.span_id
    assert trace_of(sent["traceparent"]) == trace_of(carrier["traceparent"]) == f"{send.context.trace_id:032x}"
    assert dict(send.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.destination.name": "articles",
        "messaging.kafka.message.key": "a-1",
    }


@pytest.mark.parametrize("carrier", [None, {}, {"traceparent": "rubbish"}])
def test_producer_span_without_a_trace_begins_none(spans: InMemorySpanExporter, carrier: dict[str, str] | None) -> None:
    """A message that belongs to no trace, or to an invalid one, has no span and no headers."""
    with producer_span("pages-live", "a-1", carrier) as headers:
        assert headers == []
    assert spans.get_finished_spans() == ()


def test_producer_span_of_failed_send_has_the_type_of_the_error(spans: InMemorySpanExporter) -> None:
    """A failed send is an error by its type alone: the text of an error may contain an article's content."""
    carrier = start_outbox_span("articles", "a-1")
    with pytest.raises(ValueError, match="secret text"), producer_span("articles", "a-1", carrier):
        raise ValueError("secret text")
    failed = spans.get_finished_spans()[-1]
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "ValueError"
    assert "secret text" not in failed.to_json()


def test_record_failure_marks_the_current_span(spans: InMemorySpanExporter) -> None:
    """The span of the current request or record is marked as failed."""
    running: Any = tracing._running
    with running.tracer.start_as_current_span("request"):
        record_failure(KeyError("x"))
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "KeyError")


@pytest.mark.parametrize(("method", "excluded"), [("GET", True), ("HEAD", True), ("OPTIONS", True), ("POST", False)])
def test_http_telemetry_excludes_reads(spans: InMemorySpanExporter, method: str, excluded: bool) -> None:
    """Requests that change something have a span; those that poll have none."""
    telemetry = http_telemetry()
    assert telemetry["tracing"] is True
    assert telemetry["exclude"]({"method": method}) is excluded


async def test_start_tracing_twice_keeps_the_first_and_stop_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process has one provider, named after its service, and none after the stop, which does not wait long."""
    monkeypatch.setattr(tracing, "_running", None)
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    start_tracing("render", TracingConfig("http://127.0.0.1:9/"))
    running: Any = tracing._running
    start_tracing("ingest", TracingConfig("http://127.0.0.1:9/"))
    assert tracing._running is running
    assert running.provider.resource.attributes["service.name"] == "presstally-render"
    assert len(consumer_middlewares()) == 1
    await stop_tracing()
    assert tracing._running is None
