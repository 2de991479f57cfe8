"""The latency of `/e`, of an editor's reads and of the counter under attacks on the same installation, against calm."""

import http.client
import io
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import psutil
from PIL import Image

from deploy.local.bootstrap import ROOT
from tests.bench.attackers import ATTACKERS, Target, attack_for
from tests.bench.collect import SCRIPT, Measured
from tests.bench.infrastructure import BenchmarkError, Counting, Infrastructure
from tests.bench.load import SITE
from tests.bench.options import Options

SECONDS = 4
LEAD_SECONDS = 1.5
"""The attack begins so long before the measurement."""
CONNECTIONS = 20
PAUSE_MS = 100
"""Before each request of a connection: 200 events a second in all."""
READS_PAUSE_MS = 800
"""The same of reads: 25 a second."""
ARTICLES = 20_000
PHOTO_PIXELS = (4_000, 3_000)
FILL = """
INSERT INTO ingest.articles (id, number, site, version, state, title, content, modified_at, live)
SELECT 'old-' || n, 1000000 + n, $2, 1, 'published', title, content, now(), content
FROM generate_series(1, $1) AS n,
     LATERAL (SELECT 'Tin số ' || n || ' của huyện Hải Hậu' AS title) AS named,
     LATERAL (SELECT jsonb_build_object(
         'id', 'old-' || n, 'number', 1000000 + n, 'site', $2::text, 'version', 1, 'state', 'published',
         'title', title, 'slug', 'tin-' || n, 'section', 'tin-tuc', 'language', 'vi',
         'tags', jsonb_build_array('t' || n),
         'modified_at', '2026-11-01T00:00:00Z', 'first_published_at', '2026-11-01T00:00:00Z',
         'body', jsonb_build_array(jsonb_build_object('type', 'paragraph', 'html', repeat(md5(n::text), 100)))
     ) AS content) AS made
"""


class Case(NamedTuple):
    """An attack, and whose latency is measured."""

    attack: str
    victim: str
    kafka_frozen: bool = False


CASES = (
    *(Case(name, "POST /e") for name in ATTACKERS if name not in ("statistics exports", "imports")),
    Case("imports", "POST /e", kafka_frozen=True),
    Case("title search", "an editor's GET"),
    Case("invented tokens", "an editor's GET"),
    Case("Markdown brackets", "an editor's GET"),
    Case("statistics exports", "the counter"),
)


@dataclass
class Victims:
    """What is measured: paced requests by wrk."""

    target: Target

    def measure(self, victim: str) -> Measured:
        """Return the latencies of a victim's requests."""
        if victim == "POST /e":
            url, script, arguments = f"http://127.0.0.1:{self.target.collector}", SCRIPT, ["1", str(PAUSE_MS)]
            return _wrk(url, str(script), arguments)
        paced = str(SCRIPT.with_name("paced.lua"))
        if victim == "the counter":
            return _wrk(f"http://127.0.0.1:{self.target.widget}/stats/{SITE}/counter", paced, [str(READS_PAUSE_MS)])
        url = f"http://127.0.0.1:{self.target.articles}/api/articles/{self.target.article}"
        return _wrk(url, paced, [str(READS_PAUSE_MS)], ["-H", f"Authorization: Bearer {self.target.other_token}"])


def _wrk(url: str, script: str, arguments: list[str], headers: list[str] | None = None) -> Measured:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", *(headers or []), "-s", script, url]
    done = subprocess.run([*command, "--", *arguments], capture_output=True, text=True, check=True)
    requests, microseconds, refused, p50, p99 = map(float, done.stdout.split("RESULT ")[1].split())
    return Measured(requests / microseconds * 1e6, int(refused), p50 / 1_000, p99 / 1_000)


def attack(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Measure each case in rounds, calm and attacked in turn; the bar is twice the p99."""
    if shutil.which("wrk") is None:
        raise BenchmarkError("this needs wrk (Debian: apt-get install wrk)")
    with infrastructure.broker("attack") as kafka, infrastructure.counting(kafka) as copy:
        infrastructure.run(copy, FILL, ARTICLES, SITE)
        services = [copy.start("collector", service="ingest"), copy.start("articles", service="ingest")]
        services.append(copy.start("widget"))
        target = _target(copy, *(one.port for one in services))
        victims = Victims(target)
        for victim in {case.victim for case in CASES}:
            victims.measure(victim)  # warm
        print(
            f"  {'attack':<22}{'measured':<18}{'calm p99':>9}{'attacked':>9}{'ratio':>7}  ratios; answers to the attack"
        )
        for case in CASES:
            with _frozen_kafka(case.kafka_frozen):
                if case.kafka_frozen:
                    victims.measure(case.victim)  # until events are spooled at once
                rounds = [_round(case, victims, pool) for _ in range(options.rounds)]
            _print(case, rounds)
            for service in services:
                service.check()
        for service in services:
            service.end()


class Round(NamedTuple):
    """Calm and attacked, and the answers that the attack got by status; 0: none."""

    calm: Measured
    attacked: Measured
    answers: dict[int, int]


def _round(case: Case, victims: Victims, pool: Executor) -> Round:
    calm = victims.measure(case.victim)
    running = pool.submit(attack_for, case.attack, victims.target, LEAD_SECONDS + SECONDS + 0.5)
    time.sleep(LEAD_SECONDS)
    attacked = victims.measure(case.victim)
    answers = running.result(timeout=120)
    time.sleep(1)
    if case.victim == "POST /e" and (calm.refused or attacked.refused):
        refused = f"{calm.refused} calm and {attacked.refused} attacked"
        raise BenchmarkError(f"{case.attack}: {refused} events were refused")
    return Round(calm, attacked, answers)


def _print(case: Case, rounds: list[Round]) -> None:
    calm, attacked = (
        statistics.median(getattr(one, name).p99_milliseconds for one in rounds) for name in ("calm", "attacked")
    )
    ratios = sorted(one.attacked.p99_milliseconds / one.calm.p99_milliseconds for one in rounds)
    answers: dict[int, int] = {}
    for one in rounds:
        for status, count in one.answers.items():
            answers[status] = answers.get(status, 0) + count
    shown = ", ".join(f"{count}× {status or 'none'}" for status, count in sorted(answers.items()))
    if refused := sum(one.attacked.refused for one in rounds):
        shown += f"; {refused} reads were refused or took more than two seconds"
    name = f"{case.attack}{', Kafka frozen' if case.kafka_frozen else ''}"
    numbers = f"{calm:>9.1f}{attacked:>9.1f}{statistics.median(ratios):>7.2f}"
    print(f"  {name:<22}{case.victim:<18}{numbers}  {' '.join(f'{one:.2f}' for one in ratios)}; {shown}", flush=True)


@contextmanager
def _frozen_kafka(frozen: bool) -> Iterator[None]:
    brokers = [one for one in psutil.Process().children(recursive=True) if "kafka.Kafka" in one.cmdline()]
    for broker in brokers if frozen else ():
        broker.suspend()
    try:
        yield
    finally:
        for broker in brokers if frozen else ():
            broker.resume()


def _target(copy: Counting, collector: int, articles: int, widget: int) -> Target:
    token, other = (_token(copy, name) for name in ("Hostile", "Other"))
    api = http.client.HTTPConnection("127.0.0.1", articles)
    body = {"site": SITE, "section": "tin-tuc", "title": "Bài của người khác", "body": "<p>Thân bài.</p>"}
    headers = {"authorization": f"Bearer {other}", "content-type": "application/json"}
    api.request("POST", "/api/articles", json.dumps(body), headers)
    article = str(json.loads(api.getresponse().read())["id"])
    photo = io.BytesIO()
    noise = random.Random(1).randbytes(PHOTO_PIXELS[0] * PHOTO_PIXELS[1] * 3 // 64)
    small = Image.frombytes("RGB", (PHOTO_PIXELS[0] // 8, PHOTO_PIXELS[1] // 8), noise)
    small.resize(PHOTO_PIXELS).save(photo, "JPEG", quality=85)
    return Target(collector, articles, widget, token, other, article, photo.getvalue())


def _token(copy: Counting, name: str) -> str:
    program = [sys.executable, "-m", "services.ingest", "token", "create", "--name", name, "--scope", "write"]
    environment = {**os.environ, **copy.environment}
    return subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()
