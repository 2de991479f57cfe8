"""The latency from a view to the number on an open page, of single views and at 500 a second: a client and Chromium."""

import asyncio
import statistics
import threading
import time
from bisect import bisect_left
from concurrent.futures import Executor
from itertools import pairwise

from playwright.sync_api import sync_playwright

from tests.bench.infrastructure import BenchmarkError, Infrastructure, Service
from tests.bench.load import SITE, Sent, Steady, steady
from tests.bench.options import Options
from tests.bench.summary import keep
from tests.browser.chromium import CHROMIUM, FLAGS
from tests.streams import StreamMessage, open_stream

PER_SECOND = 500
SECONDS = 30
VISITORS = 100_000
SINGLE_EVERY_SECONDS = 2.3
"""A quiet second or two before each."""
SINGLES = 30
SHOWN_WITHIN_SECONDS = 20.0
PAGE = """<!doctype html><script>
  window.seen = [];
  addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
    const field = document.querySelector("[data-counter=total]");
    if (field) seen.push([(performance.timeOrigin + performance.now()) / 1000, +field.textContent.replaceAll(",", "")]);
  }).observe(document.body, { subtree: true, childList: true, characterData: true }));
</script><script type=module src="/stats/widget.js"></script><body>
<access-counter site="SITE" measure="views"></access-counter>"""

Shown = list[tuple[float, int]]
"""[(time.monotonic(), total that was then shown first)], in order."""


def live_delay(infrastructure: Infrastructure, options: Options, pool: Executor) -> None:
    """Send views now and then, and steadily; the n-th view is on the page when the total there is at least n."""
    with infrastructure.broker("live_delay") as kafka:
        single = Steady(kafka, options.seed, 1 / SINGLE_EVERY_SECONDS, SINGLES * SINGLE_EVERY_SECONDS, VISITORS)
        quiet = _measure(infrastructure, kafka, single, pool)
    with infrastructure.broker("live_delay") as kafka:
        busy = _measure(infrastructure, kafka, Steady(kafka, options.seed, PER_SECOND, SECONDS, VISITORS), pool)
    keep(quiet_p50=quiet[49], busy_p99=busy[98])


def _measure(infrastructure: Infrastructure, kafka: str, job: Steady, pool: Executor) -> list[float]:
    """Print the delays of views, and return those on the page, by percent."""
    with infrastructure.counting(kafka) as counting:
        counter, widget = counting.start("counter"), counting.start("widget")
        told: Shown = []
        ended = threading.Event()
        listening = threading.Thread(target=lambda: asyncio.run(_listen(widget, told, ended)))
        listening.start()
        try:
            sent, shown = _watch_page(widget, job, pool)
            _wait_for_last(told, len(sent))
        finally:
            ended.set()
            listening.join()
        widget.end()
        counter.end()
    print(f"  {len(sent):,} views at {job.per_second:.3g}/s, sent to Kafka as the collector does")
    percent: list[float] = []
    for name, seen in (("a stream's client", told), ("the page in Chromium", shown)):
        delays = _delays(sent, seen)
        percent = statistics.quantiles(delays, n=100)
        gaps = [after[0] - before[0] for before, after in pairwise(seen[1:])]
        print(f"  {name}: p50 {percent[49]:.0f} ms, p99 {percent[98]:.0f} ms, max {max(delays):.0f} ms; ", end="")
        print(f"{len(seen)} changes, {min(gaps):.2f} s apart at least")
    return percent


def _watch_page(widget: Service, job: Steady, pool: Executor) -> tuple[list[Sent], Shown]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.route("**/page", lambda route: route.fulfill(body=PAGE.replace("SITE", SITE), content_type="text/html"))
        page.goto(f"http://127.0.0.1:{widget.port}/page")
        page.wait_for_selector("[data-counter=total]")
        wall_less_monotonic = time.time() - time.monotonic()
        sending = pool.submit(steady, job)
        deadline = time.monotonic() + job.seconds + SHOWN_WITHIN_SECONDS
        total = round(job.per_second * job.seconds)
        while not page.evaluate(f"seen.some(([, number]) => number >= {total})"):
            page.wait_for_timeout(200)
            if time.monotonic() > deadline:
                raise BenchmarkError(f"not all was on the page within {SHOWN_WITHIN_SECONDS:.0f} s after the last view")
        seen = page.evaluate("seen")
        browser.close()
    return sending.result(), [(at - wall_less_monotonic, number) for at, number in seen]


def _wait_for_last(told: Shown, total: int) -> None:
    """The page may have the last number a moment before the stream's client has it."""
    deadline = time.monotonic() + SHOWN_WITHIN_SECONDS
    while not told or told[-1][1] < total:
        if time.monotonic() > deadline:
            raise BenchmarkError(
                f"the stream's client did not have all within {SHOWN_WITHIN_SECONDS:.0f} s after the page"
            )
        time.sleep(0.05)


async def _listen(widget: Service, told: Shown, ended: threading.Event) -> None:
    def note(one: StreamMessage) -> None:
        told.append((one.at, one.numbers["total"]))

    stream = await open_stream(widget.port, f"/stats/{SITE}/live?measure=views", note)
    await asyncio.to_thread(ended.wait)
    stream.close()


def _delays(sent: list[Sent], seen: Shown) -> list[float]:
    totals = [number for _, number in seen]
    return [
        1_000 * (seen[bisect_left(totals, rank)][0] - view.at)
        for rank, view in enumerate(sorted(sent, key=lambda view: view.at), 1)
    ]
