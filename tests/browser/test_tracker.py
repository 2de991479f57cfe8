"""The tracker in real Chromium before the real counter: whatever happens, each view is counted exactly once."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.browser.chromium import Chromium, Tab
from tests.browser.fault_proxy import FaultProxy

Wait = Callable[..., Any]
QUICK_PINGS = (
    "<script>{ const real = setInterval; window.setInterval = (f, ms, ...a) => real(f, ms / 100, ...a) }</script>"
)


@dataclass
class BrowserVisitor:
    """A reader with a browser of their own, on pages about one article that nobody else reads."""

    system: Any
    proxy: FaultProxy
    browser: Chromium
    agent: str
    article: str
    wait: Wait
    new_id: Callable[[], str]

    def page(self, path: str, head: str = "", tag: str = "data-local", article: str | None = None) -> str:
        """Put a page on the site and return its URL."""
        meta = f'<meta name="presstally:article" content="{article or self.article}">'
        script = f'<script defer src="/t.js" data-site="haihau" {tag}></script>'
        self.proxy.pages[path] = (
            f"<!doctype html><html><head><title>{path}</title>{meta}{head}{script}</head><h1>{path}"
        )
        return self.proxy.url + path

    def counted(self, article: str | None = None) -> int:
        """Return the counter's views of the article, after everything this reader has sent was counted."""
        marker = f"marker-{time.time_ns()}"
        event = {"id": self.new_id(), "site": "haihau", "kind": "view", "path": "/marker", "article": marker}
        assert self.system.post_events(event, user_agent=self.agent).status == 202
        total = lambda of: self.system.get(f"/stats/haihau/articles/{of}/counter").json()["total"]  # noqa: E731
        self.wait(lambda: total(marker) == 1)  # same reader, same partition: all before it is counted too
        time.sleep(1.1)  # an answer is kept for a second
        return int(total(article or self.article))

    def arrived(self, views: int) -> None:
        """Wait until so many different views were answered with 202, and a little longer for one too many."""
        kept = lambda: {one.event["id"] for one in self.proxy.of_kind("view") if one.status == 202}  # noqa: E731
        self.wait(lambda: len(kept()) >= views, what=f"{views} views")
        time.sleep(0.5)
        assert len(self.proxy.view_ids) == views, self.proxy.sent


@pytest.fixture
def proxy(system: Any) -> Iterator[FaultProxy]:
    proxy = FaultProxy(system.url)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def visitor(system: Any, proxy: FaultProxy, wait: Wait, new_id: Callable[[], str]) -> Iterator[BrowserVisitor]:
    agent = system.another_person()
    browser = Chromium(agent)
    yield BrowserVisitor(system, proxy, browser, agent, new_id(), wait, new_id)
    browser.close()


def outbox(tab: Tab) -> list[str]:
    return list(tab.js("Object.keys(localStorage).filter((key) => key.startsWith('presstally '))"))


def test_each_load_of_a_page_is_one_view(visitor: BrowserVisitor) -> None:
    """Opening a page counts once, loading it again once more; no cookie is set and nothing is left behind."""
    tab = visitor.browser.open(visitor.page("/load"))
    visitor.arrived(1)
    assert visitor.counted() == 1
    tab.go(visitor.proxy.url + "/load")
    visitor.arrived(2)
    assert visitor.counted() == 2
    tab.until("localStorage.length == 0")
    assert tab.js("document.cookie") == ""
    assert len(visitor.proxy.of_kind("leave")) == 1


def test_a_page_restored_by_going_back_is_a_view(visitor: BrowserVisitor) -> None:
    """Going back shows the kept page without loading it: that is one more view of it, under its own path."""
    canonical = '<link rel="canonical" href="https://haihau.example/one.html">'
    tab = visitor.browser.open(
        visitor.page("/one", canonical + "<script>onpageshow = (e) => window.kept = e.persisted</script>")
    )
    visitor.arrived(1)
    tab.go(visitor.page("/two"))
    visitor.arrived(2)
    tab.back()
    tab.until("window.kept === true")
    visitor.arrived(3)
    assert [one.event["path"] for one in visitor.proxy.of_kind("view")] == ["/one.html", "/two", "/one.html"]
    assert [one.event["path"] for one in visitor.proxy.of_kind("leave")] == ["/one.html", "/two"]
    assert visitor.counted() == 3


def test_a_prerendered_page_counts_when_it_is_shown(visitor: BrowserVisitor, new_id: Callable[[], str]) -> None:
    """Chromium prerenders the next page: nothing is counted until the reader goes there, then one view."""
    rules = '{"prerender": [{"source": "list", "urls": ["/next"], "eagerness": "immediate"}]}'
    going = "<script>fetch('/go').then(() => location.href = '/next')</script>"
    visitor.page("/next")
    before = f'<script type="speculationrules">{rules}</script>{going}'
    tab = visitor.browser.open(visitor.page("/first", before, article=new_id()), attach=False)
    visitor.arrived(1)
    time.sleep(1)  # long enough for the next page to be rendered
    assert [one.event["path"] for one in visitor.proxy.sent] == ["/first"]
    visitor.proxy.go.set()
    visitor.arrived(2)
    tab.attach()
    assert tab.js("location.pathname") == "/next"
    assert tab.js("performance.getEntriesByType('navigation')[0].activationStart") > 0, "it was not prerendered"
    assert [one.event["path"] for one in visitor.proxy.of_kind("view")] == ["/first", "/next"]
    assert [one.purpose for one in visitor.proxy.of_kind("view")] == [None, None]
    assert visitor.counted() == 1


def test_a_tab_behind_counts_when_it_is_seen(visitor: BrowserVisitor) -> None:
    """A tab that was opened behind another is no view until it comes to the front, and then one; no leave before."""
    visitor.browser.open(visitor.page("/front"))
    visitor.arrived(1)
    never_seen = visitor.browser.open(visitor.page("/never"), behind=True)
    behind = visitor.browser.open(visitor.page("/behind"), behind=True)
    time.sleep(1)
    assert behind.js("document.hidden") is True
    never_seen.close()
    time.sleep(0.5)
    visitor.arrived(1)
    assert visitor.proxy.of_kind("leave") == []
    behind.to_front()
    visitor.arrived(2)
    assert visitor.counted() == 2


def test_pings_are_sent_only_while_the_page_is_seen(visitor: BrowserVisitor) -> None:
    """A page that is seen pings each minute (here: 0.6 s) from when it was shown; one behind another does not."""
    tab = visitor.browser.open(visitor.page("/ping", QUICK_PINGS))
    visitor.wait(lambda: len(visitor.proxy.of_kind("ping")) >= 2)
    other = visitor.browser.open("about:blank")
    tab.until("document.hidden")
    time.sleep(0.3)
    pings = len(visitor.proxy.of_kind("ping"))
    time.sleep(1.5)
    assert len(visitor.proxy.of_kind("ping")) == pings
    tab.to_front()
    visitor.wait(lambda: len(visitor.proxy.of_kind("ping")) > pings)
    other.close()
    assert all(one.status == 202 for one in visitor.proxy.sent)
    assert visitor.counted() == 1


def test_an_application_counts_each_new_path(visitor: BrowserVisitor, new_id: Callable[[], str]) -> None:
    """pushState, replaceState and going back are views if the path is another one, with the new page's article."""
    tab = visitor.browser.open(visitor.page("/app", '<link rel="canonical" href="/app">'))
    visitor.arrived(1)
    second = new_id()
    tab.js(
        "history.pushState(0, '', '/app/second'); setTimeout(() => { "
        f"document.querySelector('meta').content = '{second}' }}, 50); 0"
    )
    visitor.arrived(2)
    tab.js("history.replaceState(0, '', '/app/second?sort=1'); history.pushState(0, '', '/app/second#part'); 0")
    tab.js("document.querySelector('meta').content = 'x'; history.pushState(0, '', '/app/moved'); 0")
    tab.js(f"document.querySelector('meta').content = '{second}'; history.replaceState(0, '', '/app/third'); 0")
    visitor.arrived(3)
    tab.js("document.querySelector('link').href = '/app/canonical'; history.pushState(0, '', '/app/fourth'); 0")
    visitor.arrived(4)
    tab.back()
    visitor.arrived(5)
    paths = [one.event["path"] for one in visitor.proxy.of_kind("view")]
    assert paths == ["/app", "/app/second", "/app/third", "/app/canonical", "/app/third"]
    assert {one.event["referrer"] for one in visitor.proxy.of_kind("view")[1:]} == {None}
    assert (visitor.counted(), visitor.counted(second)) == (1, 4)


def test_a_move_just_before_leaving_is_not_lost(visitor: BrowserVisitor) -> None:
    """A path that an application shows for a blink before the reader leaves is counted as it goes away."""
    tab = visitor.browser.open(visitor.page("/blink"))
    visitor.arrived(1)
    tab.js("history.pushState(0, '', '/blink/next'); location.href = 'about:blank'; 0")
    visitor.arrived(2)
    assert visitor.counted() == 2


def test_a_view_while_the_network_is_cut_is_sent_when_it_is_back(visitor: BrowserVisitor) -> None:
    """What happens offline is kept, sent with its age when the network returns, and counted once."""
    tab = visitor.browser.open(visitor.page("/cut"))
    visitor.arrived(1)
    tab.offline(True)
    tab.js("history.pushState(0, '', '/cut/offline'); 0")
    tab.until("Object.keys(localStorage).some((key) => key.startsWith('presstally '))")
    time.sleep(1)
    tab.offline(False)
    visitor.arrived(2)
    late = visitor.proxy.of_kind("view")[-1].event
    assert late["path"] == "/cut/offline"
    assert 900 <= late["age"] < 20_000
    tab.until("localStorage.length == 0")
    assert visitor.counted() == 2


def test_what_an_earlier_page_could_not_send_goes_first(visitor: BrowserVisitor) -> None:
    """With the collector away two pages are read; the next page sends their views, oldest first, each counted once."""
    visitor.proxy.mode = "cut"
    tab = visitor.browser.open(visitor.page("/away-1"))
    visitor.wait(lambda: len(visitor.proxy.view_ids) == 1)
    tab.go(visitor.page("/away-2"))
    visitor.wait(lambda: len(visitor.proxy.of_kind("view")) >= 2)
    visitor.proxy.mode = "pass"
    visitor.proxy.sent.clear()
    tab.go(visitor.page("/back"))
    visitor.arrived(3)
    firsts = list(dict.fromkeys(one.event["path"] for one in visitor.proxy.of_kind("view") if one.status == 202))
    assert firsts == ["/away-1", "/away-2", "/back"]
    tab.until("localStorage.length == 0")
    assert visitor.counted() == 3


def test_a_refusal_is_tried_again_while_the_page_is_open(visitor: BrowserVisitor) -> None:
    """A collector that answers 503 gets the same view again, not before its Retry-After, and counts it once."""
    visitor.proxy.mode = "refuse"
    begun = time.monotonic()
    tab = visitor.browser.open(visitor.page("/refused"))
    visitor.wait(lambda: visitor.proxy.of_kind("view"))
    visitor.proxy.mode = "pass"
    visitor.arrived(1)
    assert time.monotonic() - begun > 2
    assert [one.status for one in visitor.proxy.of_kind("view")] == [503, 202]
    assert outbox(tab) == []
    assert visitor.counted() == 1


def test_a_lost_answer_does_not_count_twice(visitor: BrowserVisitor) -> None:
    """The collector took the view but its answer never came: the view is sent again and still counted once."""
    visitor.proxy.mode = "lose answers"
    tab = visitor.browser.open(visitor.page("/lost"))
    visitor.wait(lambda: visitor.proxy.of_kind("view"))
    assert len(outbox(tab)) == 1
    visitor.proxy.mode = "pass"
    tab.until("localStorage.length == 0")
    assert len(visitor.proxy.of_kind("view")) >= 2
    assert len(visitor.proxy.view_ids) == 1
    assert visitor.counted() == 1


def test_two_tabs_share_an_outbox(visitor: BrowserVisitor) -> None:
    """Two tabs whose views could not be sent lose none and count none twice, whoever sends them."""
    visitor.proxy.mode = "cut"
    first = visitor.browser.open(visitor.page("/tab-1"))
    visitor.wait(lambda: len(outbox(first)) == 1)
    second = visitor.browser.open(visitor.page("/tab-2"))
    visitor.wait(lambda: len(outbox(second)) == 2)
    assert len(outbox(first)) == 2
    visitor.proxy.mode = "pass"
    for tab in (first, second):
        tab.js("dispatchEvent(new Event('online')); 0")
    visitor.arrived(2)
    first.until("localStorage.length == 0")
    assert visitor.counted() == 2


def test_the_outbox_goes_with_the_leave(visitor: BrowserVisitor) -> None:
    """A reader who leaves while the collector refuses: the beacon takes the view along, and the next page adds none."""
    visitor.proxy.mode = "refuse"
    tab = visitor.browser.open(visitor.page("/leaving"))
    visitor.wait(lambda: visitor.proxy.of_kind("view"))
    time.sleep(0.4)
    visitor.proxy.mode = "pass"
    tab.go("about:blank")
    visitor.arrived(1)
    assert [(one.kind, one.status) for one in visitor.proxy.sent] == [("view", 503), ("view", 202), ("leave", 202)]
    tab.go(visitor.page("/leaving-2"))
    visitor.arrived(2)
    assert visitor.counted() == 2


def test_the_outbox_is_bounded_and_forgets(visitor: BrowserVisitor) -> None:
    """What never gets better, or is half an hour old, is dropped; at most 50 views wait; strange clocks do no harm."""
    tab = visitor.browser.open(visitor.page("/refused-for-good", article="x" * 65))
    visitor.wait(lambda: [one for one in visitor.proxy.of_kind("view") if one.status == 422])
    tab.until("localStorage.length == 0")
    visitor.proxy.mode = "cut"
    place = json.dumps(f"presstally {visitor.proxy.url}/e ")
    view = json.dumps(
        {"id": visitor.new_id(), "site": "haihau", "kind": "view", "path": "/x", "article": visitor.article}
    )
    tab.js(f"localStorage[{place} + (Date.now() - 1801e3) + ' 1'] = {json.dumps(view)}; 0")
    tab.js("for (let i = 0; i < 60; i++) presstally.view('/many/' + i); localStorage.theirs = 'stays'; 0")
    kept = outbox(tab)
    assert len(kept) == 50
    assert tab.js("localStorage.theirs") == "stays"
    tab.js(f"localStorage.clear(); localStorage[{place} + (Date.now() + 9e6) + ' 2'] = {json.dumps(view)}; 0")
    visitor.proxy.mode = "pass"
    visitor.proxy.sent.clear()
    tab.go(visitor.page("/ahead", article=visitor.article))
    visitor.arrived(2)
    assert min(one.event["age"] for one in visitor.proxy.of_kind("view")) == 0
    assert visitor.counted() == 2


@pytest.mark.parametrize(
    "broken",
    [
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } })",
        "Object.defineProperty(window, 'localStorage', { value: null })",
        "localStorage.full = 'x'.repeat(5242880 - 4)",
    ],
)
def test_it_counts_without_storage(visitor: BrowserVisitor, broken: str) -> None:
    """Where storage is denied, missing or full, a view is counted and, refused at first, sent again; no error shows."""
    visitor.proxy.mode = "refuse"
    tab = visitor.browser.open(
        visitor.page("/private", f"<script>window.faults = []; onerror = (e) => faults.push(e); {broken}</script>")
    )
    visitor.wait(lambda: visitor.proxy.of_kind("view"))
    visitor.proxy.mode = "pass"
    visitor.arrived(1)
    assert tab.js("faults") == []
    assert visitor.counted() == 1


def test_readers_and_editors_can_opt_out(visitor: BrowserVisitor) -> None:
    """After a link to #presstally-off nothing is sent from this browser, until one to #presstally-on."""
    tab = visitor.browser.open(visitor.page("/opt") + "#presstally-off")
    time.sleep(1)
    assert tab.js("localStorage.presstally") == "off"
    tab.go(visitor.page("/opt-2"))
    time.sleep(1)
    assert visitor.proxy.sent == []
    tab.go(visitor.page("/opt-3") + "#presstally-on")
    visitor.arrived(1)
    assert visitor.counted() == 1


def test_localhost_counts_only_where_the_tag_says_so(visitor: BrowserVisitor) -> None:
    """A page that is being built on localhost sends nothing without data-local."""
    tab = visitor.browser.open(visitor.page("/local", tag=""))
    tab.until("window.presstally")
    time.sleep(0.5)
    tab.go("about:blank")
    time.sleep(0.5)
    assert visitor.proxy.sent == []


def test_manual_mode_counts_what_it_is_told(visitor: BrowserVisitor) -> None:
    """With data-manual only presstally.view(path) counts; a tag that stands on the page twice counts once."""
    twice = '<script defer src="/t.js" data-site="haihau" data-local data-manual></script>'
    tab = visitor.browser.open(visitor.page("/manual", twice, tag="data-local data-manual"))
    tab.until("window.presstally")
    tab.js("history.pushState(0, '', '/manual/2'); 0")
    time.sleep(0.7)
    assert visitor.proxy.sent == []
    tab.js("presstally.view('/told'); 0")
    visitor.arrived(1)
    tab.js("presstally.view(); 0")
    visitor.arrived(2)
    assert [one.event["path"] for one in visitor.proxy.of_kind("view")] == ["/told", "/manual/2"]
    assert visitor.counted() == 2


def test_another_endpoint_and_a_foreign_referrer(visitor: BrowserVisitor) -> None:
    """data-endpoint says where signs go; of the page that a reader came from, only its host is told."""
    elsewhere = visitor.proxy.url.replace("localhost", "127.0.0.1")
    visitor.proxy.pages["/elsewhere"] = "<h1>Elsewhere"
    tab = visitor.browser.open(elsewhere + "/elsewhere?secret=1")
    tab.go(visitor.page("/endpoint", tag='data-local data-endpoint="/e?here"'))
    visitor.arrived(1)
    view = visitor.proxy.of_kind("view")[0]
    assert view.to == "/e?here"
    assert view.event["referrer"] == elsewhere.removeprefix("http://")
    tab.go(visitor.page("/inside"))
    visitor.arrived(2)
    assert visitor.proxy.of_kind("view")[1].event["referrer"] is None
    assert visitor.counted() == 2
