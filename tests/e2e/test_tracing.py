"""Tracing: off by default, one trace from a request to "it is live", and no work waits for its receiver."""

import ast
import asyncio
import http.server
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from deploy.local.bootstrap import jars_folder, java_command
from deploy.local.kafka import Kafka
from tests.conftest import PERSON, SITES, Answer, System, answers, free_ports, wait_for
from tests.databases import url_of
from tests.e2e.conftest import Editors

ROOT = Path(__file__).parent.parent.parent
RECEIVER_KEY = f"key-of-the-receiver-{secrets.token_hex(8)}"
BAGGAGE = f"baggage-{secrets.token_hex(8)}"
STATE = "vendor=abc"
TITLE = "Lúa mùa chín sớm"
PUBLISH = "POST /articles/{article_id}/publish"
WAY = (PUBLISH, "articles create", "articles send", "articles process", "pages-live send", "pages-live process")
NAMES = {*WAY, "POST /articles", *(f"POST /articles/{{article_id}}/{step}" for step in ("submit", "approve"))}
NAMES |= {"POST /articles/{article_id}/schedule"}
NAMES |= {f"site-structure {step}" for step in ("create", "send", "process")}  # the first start sends those of the file
ROLES = {"ingest": "articles", "render": "builder"}
STOP_SECONDS = 9.0
"""The bound of a stop that processes keep in any case."""


class Receiver:
    """An OTLP receiver over HTTP. It keeps what it receives; it can also hang, or close."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.keys: set[str | None] = set()
        self.paths: set[str] = set()
        self.hangs = threading.Event()
        self.hung = 0
        self.ends = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if receiver.hangs.is_set():
                    receiver.hung += 1
                    receiver.ends.wait()
                    return
                receiver.keys.add(self.headers["x-key"])
                receiver.paths.add(self.path)
                receiver.bodies.append(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def spans(self) -> list[tuple[str, Span]]:
        """Return all spans, each with its service's name."""
        found = []
        for body in list(self.bodies):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
                found += [(attributes["service.name"], span) for scope in resource.scope_spans for span in scope.spans]
        return found

    def of_trace(self, trace: str) -> dict[str, tuple[str, Span]]:
        """Return a trace's spans by their names."""
        return {span.name: (service, span) for service, span in self.spans() if span.trace_id.hex() == trace}

    def close(self) -> None:
        self.ends.set()
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Traced:
    """The editors' service and the builder with tracing on, on a Kafka and a database of their own."""

    kafka: str
    database_url: str
    environment: dict[str, str]
    receiver: Receiver
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, log: Path) -> None:
        for service, role in ROLES.items():
            environment = {**self.environment, "PRESSTALLY_HTTP_PORT": str(self.ports[service])}
            with log.open("ab") as written:
                command = [sys.executable, "-m", f"services.{service}", role]
                self.processes[service] = subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdout=written, stderr=written
                )

    def are_ready(self) -> bool:
        return all(answers(f"http://127.0.0.1:{port}/readyz") for port in self.ports.values())

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        return System.request(self, method, f"http://127.0.0.1:{self.ports['ingest']}{path}", body, **headers)  # type: ignore[arg-type]

    def metrics(self, service: str, *, accept: str = "application/openmetrics-text; version=1.0.0") -> str:
        """Return a service's metrics, in the format that is asked for."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[service]}/metrics", headers={"accept": accept})
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.headers["content-type"].startswith(accept.partition(";")[0])
            return str(response.read().decode())

    async def records(self, topic: str) -> list[Any]:
        """Return all records of a topic, which has one partition here."""
        place = TopicPartition(topic, 0)
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest") as consumer:
            consumer.assign([place])
            end = (await consumer.end_offsets([place]))[place]
            found: list[Any] = []
            while await consumer.position(place) < end:
                for batch in (await consumer.getmany(place, timeout_ms=200)).values():
                    found += batch
            return found


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, template: str) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traced")
    (folder / "sites.toml").write_text(SITES)
    (folder / "key").write_text(f"x-key={RECEIVER_KEY}\n")
    receiver = Receiver()
    ports = free_ports(4)
    java = java_command()
    assert java is not None, "Kafka needs Java"
    kafka = Kafka(folder / "kafka", jars_folder(), java, ports, ports + 1)
    kafka.prepare()
    with (folder / "kafka.log").open("wb") as log:
        broker = subprocess.Popen(kafka.command(), env=kafka.environment(), stdout=log, stderr=log)
    name = f"traced_{uuid.uuid4().hex[:8]}"
    asyncio.run(make_database(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    settings = {
        "KAFKA_BOOTSTRAP": kafka.bootstrap,
        "DATABASE_URL": url_of(postgres_url, name),
        "PRESSTALLY_SITES": str(folder / "sites.toml"),
        "PRESSTALLY_MEDIA": str(folder / "media"),
        "PRESSTALLY_PARTITIONS": "1",
        "PRESSTALLY_TRACING": "on",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS_FILE": str(folder / "key"),
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    environment = {**os.environ, **settings}
    running = Traced(
        kafka.bootstrap, settings["DATABASE_URL"], environment, receiver, {"ingest": ports + 2, "render": ports + 3}
    )
    try:
        wait_for(kafka.is_ready, 60, "Kafka")
        subprocess.run([sys.executable, "-m", "shared.topics"], cwd=ROOT, env=environment, check=True)
        running.start(folder / "services.log")
        wait_for(running.are_ready, 60, "the services")
        yield running
    finally:
        for process in running.processes.values():
            process.kill()
            process.wait(10)
        broker.kill()
        broker.wait(10)
        receiver.close()
        asyncio.run(make_database(postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))


async def make_database(server: str, sql: str) -> None:
    connection = await asyncpg.connect(server)
    await connection.execute(sql)
    await connection.close()


@pytest.fixture(scope="module", name="editors")
def traced_editors(traced: Traced) -> Editors:
    return Editors(traced)


def approved(editors: Editors) -> str:
    article = str(editors.create(TITLE)["id"])
    for step in ("submit", "approve"):
        editors.step(article, step)
    return article


def publish(editors: Editors, article: str, *, flags: str = "01") -> tuple[str, str]:
    """Publish as a client that has a trace of its own, and return that trace and the client's span."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    sent = {"traceparent": f"00-{trace}-{span}-{flags}", "tracestate": STATE, "baggage": f"who={BAGGAGE}"}
    answer = editors.call("POST", f"/articles/{article}/publish", {"version": 3}, "publish", **sent)
    assert answer.status == 200, answer.text
    assert editors.publication(article)["status"] == "live"
    return trace, span


def test_publication_is_one_trace(traced: Traced, editors: Editors) -> None:
    """The client's trace continues through request, outbox, relay, builder and back, each span below the one before."""
    trace, client = publish(editors, approved(editors))
    spans = wait_for(lambda: len(found := traced.receiver.of_trace(trace)) >= len(WAY) and found, what="the trace")
    assert sorted(spans) == sorted(WAY)
    parents = [client, *(spans[name][1].span_id.hex() for name in WAY)]
    assert [spans[name][1].parent_span_id.hex() for name in WAY] == parents[:-1]
    ingest, render = "presstally-ingest", "presstally-render"
    assert [spans[name][0] for name in WAY] == [ingest, ingest, ingest, render, render, ingest]
    kinds = [spans[name][1].kind for name in WAY]
    producer, consumer = Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER
    assert kinds == [Span.SPAN_KIND_SERVER, producer, producer, consumer, producer, consumer]
    assert {spans[name][1].trace_state for name in WAY} == {STATE}
    times = [spans[name][1].start_time_unix_nano for name in WAY]
    assert times == sorted(times)
    assert traced.receiver.paths == {"/v1/traces"}
    assert traced.receiver.keys == {RECEIVER_KEY}


def test_histograms_name_a_trace(traced: Traced, editors: Editors) -> None:
    """Durations of publishing have their trace as an exemplar, in OpenMetrics; what is not sampled has none."""
    trace, _ = publish(editors, approved(editors))
    unsampled, _ = publish(editors, approved(editors), flags="00")
    wait_for(lambda: len(traced.receiver.of_trace(trace)) >= len(WAY), what="the trace")
    names = {
        "ingest": ["http_server_request_duration_seconds", "presstally_article_publish_to_live_seconds"],
        "render": ["presstally_render_duration_seconds", "presstally_article_render_delay_seconds"],
    }
    for service, metrics in names.items():
        found = wait_for(lambda service=service: trace in (page := traced.metrics(service)) and page, what=service)
        assert unsampled not in found
        assert found.endswith("# EOF\n")
        for metric in metrics:
            sample = rf'^{metric}_bucket{{.*}} [\d.]+ # {{trace_id="[0-9a-f]{{32}}"}} [\d.e-]+'
            assert re.search(sample, found, re.MULTILINE), metric
        assert "trace_id" not in traced.metrics(service, accept="text/plain")


async def test_kafka_headers_have_the_context_only(traced: Traced, editors: Editors) -> None:
    """Records carry traceparent and tracestate; a client's decision not to sample holds, and its baggage stays out."""
    trace, _ = await asyncio.to_thread(lambda: publish(editors, approved(editors), flags="00"))
    for topic in ("articles", "pages-live"):
        headers = [dict(record.headers) for record in await traced.records(topic)]
        assert {name for one in headers for name in one} == {"traceparent", "tracestate"}
        (published,) = [one for one in headers if trace.encode() in one["traceparent"]]
        assert published["traceparent"].endswith(b"-00")
    assert traced.receiver.of_trace(trace) == {}


def test_scheduled_publication_begins_a_trace(traced: Traced, editors: Editors) -> None:
    """A scheduled publication has a trace of its own, which begins at its commit."""
    article = approved(editors)
    due = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    answer = editors.call("POST", f"/articles/{article}/schedule", {"publish_at": due, "version": 3}, "publish")
    assert answer.status == 200, answer.text

    def scheduled() -> Any:
        spans = traced.receiver.spans()
        roots = [span for _, span in spans if span.name == "articles create" and not span.parent_span_id]
        return roots and traced.receiver.of_trace(roots[0].trace_id.hex())

    wait_for(lambda: len(scheduled() or {}) == len(WAY) - 1, what="the trace")
    assert sorted(scheduled()) == sorted(WAY[1:])


async def test_failed_span_has_the_error_type_only(traced: Traced) -> None:
    """An invalid record marks its span with the type of error, without its text; without context there is no span."""
    trace = secrets.token_hex(16)
    context = [("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01".encode())]
    async with AIOKafkaProducer(bootstrap_servers=traced.kafka) as producer:
        await producer.send_and_wait("articles", b'{"id": "untraced"}', key=b"untraced")
        await producer.send_and_wait("articles", b'{"id": 7, "secret": "word"}', key=b"x", headers=context)
    wait_for(lambda: len(traced.receiver.of_trace(trace)) == 1, what="the span")
    _, span = traced.receiver.of_trace(trace)["articles process"]
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert span.status.message == ""
    assert not span.events
    attributes = {one.key: one.value.string_value for one in span.attributes}
    assert attributes["error.type"] == "ValidationError"
    keys = [one.value.string_value for _, span in traced.receiver.spans() for one in span.attributes]
    assert "untraced" not in keys


async def test_record_with_foreign_headers_is_processed(traced: Traced) -> None:
    """A record with binary headers, with none, or with an invalid context is processed like any other."""
    strange = [("h", b"\xff"), ("traceparent", b"\xfe")]
    async with AIOKafkaProducer(bootstrap_servers=traced.kafka) as producer:
        await producer.send_and_wait("articles", b'{"id": "strange"}', key=b"strange", headers=strange)
        await producer.send_and_wait("articles", b'{"id": "odd"}', key=b"odd", headers=[("traceparent", b"00-0-0-0")])
    async with asyncio.timeout(60):
        while not {b"strange", b"odd"} <= {record.key for record in await traced.records("articles.dlq")}:  # noqa: ASYNC110 - Kafka has no event
            await asyncio.sleep(0.1)


def test_spans_have_no_ids_in_names_and_no_secrets(traced: Traced, editors: Editors) -> None:
    """Names are from a fixed set, reads have no span, and no token, text, address or baggage is in any span."""
    publish(editors, approved(editors))
    wait_for(lambda: len(traced.receiver.bodies) > 1, what="spans")
    spans = [span for _, span in traced.receiver.spans()]
    assert {span.name for span in spans} <= NAMES
    everything = b"".join(traced.receiver.bodies)
    tokens = list(editors._tokens.values())
    assert len(tokens) == 3
    for secret in (*tokens, TITLE, BAGGAGE, RECEIVER_KEY, traced.database_url, PERSON, "Người write"):
        assert secret.encode() not in everything, secret
    attributes = {one.key for span in spans for one in span.attributes}
    assert not [name for name in attributes if re.search(r"client|user|header|query|exception", name)]


async def test_hanging_receiver_delays_nothing(traced: Traced, editors: Editors) -> None:
    """With a receiver that does not answer, and then with none, articles go live and a stop keeps its bound."""
    first, second = await asyncio.to_thread(lambda: (approved(editors), approved(editors)))
    traced.receiver.hangs.set()
    await asyncio.to_thread(publish, editors, first)
    for process in traced.processes.values():  # while an export hangs
        process.send_signal(signal.SIGTERM)
    # A process measures its own time: its code is 1 if it had to be ended.
    codes = [await asyncio.to_thread(process.wait, 60) for process in traced.processes.values()]
    assert codes == [0, 0]
    assert traced.receiver.hung
    traced.receiver.close()
    traced.start(Path(traced.environment["PRESSTALLY_SITES"]).with_name("services.log"))
    await asyncio.to_thread(wait_for, traced.are_ready, 60, "the services")
    trace, _ = await asyncio.to_thread(publish, editors, second)
    for topic in ("articles", "pages-live"):
        records = await traced.records(topic)
        assert [1 for record in records if trace.encode() in dict(record.headers).get("traceparent", b"")] == [1]
    connection = await asyncpg.connect(traced.database_url)
    assert await connection.fetchval("SELECT count(*) FROM ingest.outbox") == 0
    await connection.close()


IMPORTS = """
import asyncio, importlib, sys
import shared.tracing as tracing
for name in sys.argv[1:]:
    importlib.import_module(name)
tracing.start_tracing("ingest", None)
assert tracing.consumer_middlewares() == () and tracing.http_telemetry()["tracing"] is False
assert tracing.start_outbox_span("articles", "x") == {}
with tracing.producer_span("articles", "x") as headers:
    assert headers == []
tracing.record_failure(ValueError())
asyncio.run(tracing.stop_tracing())
print(*sorted(name for name in sys.modules if "opentelemetry" in name))
"""


def modules(*names: str) -> set[str]:
    command = [sys.executable, "-c", IMPORTS, *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_tracing_that_is_off_imports_nothing() -> None:
    """With tracing off no service imports OpenTelemetry; FastStream probes for it and FastAPI needs a part of it."""
    # FastStream asks whether the names of attributes are there; the image has none.
    kinds = (
        "services.ingest.collector.endpoints",
        "services.stats.counting.consumer",
        "services.stats.counter_api.endpoints",
        "services.render.site.portal",
    )
    assert modules(*kinds, "services.render.builder.consumer") <= {"opentelemetry", "opentelemetry.semconv"}
    editors = modules("services.ingest.roles.articles")
    assert not [name for name in editors if re.search(r"sdk|exporter|faststream|opentelemetry\.proto", name)]


def imported(tree: ast.AST) -> str:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(ast.unparse(node) for node in nodes)


def test_only_the_tracing_module_imports_opentelemetry() -> None:
    """Only shared/tracing.py imports it, inside functions; the counting flow has no tracing."""
    for file in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "services").rglob("*.py")]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if file.name == "tracing.py":
            assert "opentelemetry" in imported(tree)
            tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
        assert "opentelemetry" not in imported(tree), file
    for folder in ("ingest/collector", "stats/counting", "stats/counter_api"):
        files = list((ROOT / "services" / folder).rglob("*.py"))
        assert len(files) > 5, folder
        for file in files:
            assert "tracing" not in imported(ast.parse(file.read_text(encoding="utf-8"))), file


async def test_tracing_that_is_off_adds_no_headers(system: System) -> None:
    """With tracing off a client's context is ignored: records have no headers."""
    editors = Editors(system)
    trace, _ = await asyncio.to_thread(lambda: publish(editors, approved(editors)))
    async with AIOKafkaConsumer("articles", bootstrap_servers=system.kafka, auto_offset_reset="earliest") as consumer:
        places = await consumer.end_offsets(list(consumer.assignment()))
        records: list[Any] = []
        while [1 for place, end in places.items() if await consumer.position(place) < end]:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
    assert records
    assert not [record for record in records if "traceparent" in dict(record.headers)]
    assert trace
