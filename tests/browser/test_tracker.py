"""The tracker in real Chromium with the real counter: each view is counted exactly once, also after failures."""

import json
import time
from collections.abc import Callable

import pytest

from tests.browser.browser_visitor import QUICK_PINGS, BrowserVisitor
from tests.browser.chromium import Tab


def outbox(tab: Tab) -> list[str]:
    return list(tab.js("Object.keys(localStorage).filter((key) => key.startsWith('presstally '))"))


def test_each_page_load_is_one_view(visitor: BrowserVisitor) -> None:
    """Opening a page counts once, loading it again once more; no cookie is set and no storage is left."""
    tab = visitor.browser.open(visitor.page("/load"))
    visitor.arrived(1)
    assert visitor.counted() == 1
    tab.go(visitor.proxy.url + "/load")
    visitor.arrived(2)
    assert visitor.counted() == 2
    tab.until("localStorage.length == 0")
    assert tab.js("document.cookie") == ""
    assert len(visitor.proxy.of_kind("leave")) == 1


def test_page_restored_from_bfcache_is_a_view(visitor: BrowserVisitor) -> None:
    """Going back restores the page without loading it: one more view of its own path, that of its canonical link."""
    canonical = '<link rel="alternate Canonical" href="https://haihau.example/one.html">'
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


def test_prerendered_page_counts_when_it_is_shown(visitor: BrowserVisitor, new_id: Callable[[], str]) -> None:
    """A page that Chromium prerenders is not counted until the visitor opens it."""
    rules = '{"prerender": [{"source": "list", "urls": ["/next"], "eagerness": "immediate"}]}'
    going = "<script>fetch('/go').then(() => location.href = '/next')</script>"
    visitor.page("/next")
    before = f'<script type="speculationrules">{rules}</script>{going}'
    tab = visitor.browser.open(visitor.page("/first", before, article=new_id()), attach=False)
    visitor.arrived(1)
    visitor.wait(lambda: "/next" in visitor.proxy.opened, what="the page that is rendered before")
    time.sleep(1)  # long enough for it to be rendered
    assert [one.event["path"] for one in visitor.proxy.sent] == ["/first"]
    visitor.proxy.go.set()
    visitor.arrived(2)
    tab.attach()
    assert tab.js("location.pathname") == "/next"
    assert tab.js("performance.getEntriesByType('navigation')[0].activationStart") > 0, "it was not prerendered"
    assert [one.event["path"] for one in visitor.proxy.of_kind("view")] == ["/first", "/next"]
    assert [one.purpose for one in visitor.proxy.of_kind("view")] == [None, None]
    assert visitor.counted() == 1


def test_background_tab_counts_when_it_becomes_visible(visitor: BrowserVisitor) -> None:
    """A tab opened in the background is counted once it becomes visible; before, it sends no leave either."""
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


def test_pings_are_sent_only_while_page_is_visible(visitor: BrowserVisitor) -> None:
    """A visible page pings each minute (here: 0.6 s); a hidden one does not."""
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


def test_single_page_app_counts_each_new_path(visitor: BrowserVisitor, new_id: Callable[[], str]) -> None:
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


def test_path_change_just_before_leaving_is_counted(visitor: BrowserVisitor) -> None:
    """A path that an application shows just before the visitor leaves is sent as the page closes."""
    tab = visitor.browser.open(visitor.page("/blink"))
    visitor.arrived(1)
    tab.js("history.pushState(0, '', '/blink/next'); location.href = 'about:blank'; 0")
    visitor.arrived(2)
    assert visitor.counted() == 2


def test_offline_view_is_sent_after_reconnecting(visitor: BrowserVisitor) -> None:
    """An offline view is stored, sent with its age when the network returns, and counted once."""
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


def test_next_page_sends_stored_views_first(visitor: BrowserVisitor) -> None:
    """Views that two pages could not send are sent by the next page, oldest first, and counted once."""
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


def test_view_is_retried_after_503(visitor: BrowserVisitor) -> None:
    """After a 503 the same view is sent again, not before its Retry-After, and counted once."""
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


def test_lost_response_does_not_count_twice(visitor: BrowserVisitor) -> None:
    """A view whose response was lost is sent again and still counted once."""
    visitor.proxy.mode = "lose answers"
    tab = visitor.browser.open(visitor.page("/lost"))
    visitor.wait(lambda: visitor.proxy.of_kind("view"))
    assert len(outbox(tab)) == 1
    visitor.proxy.mode = "pass"
    tab.until("localStorage.length == 0")
    assert len(visitor.proxy.of_kind("view")) >= 2
    assert len(visitor.proxy.view_ids) == 1
    assert visitor.counted() == 1


def test_two_tabs_share_one_outbox(visitor: BrowserVisitor) -> None:
    """Two tabs with unsent views lose none and count none twice, whichever tab sends them."""
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


def test_leave_includes_the_outbox(visitor: BrowserVisitor) -> None:
    """When a visitor leaves after a 503, the leave carries the view, and the next page does not repeat it."""
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


def test_outbox_is_bounded_and_expires(visitor: BrowserVisitor) -> None:
    """Permanently rejected and half an hour old views are dropped; at most 50 are stored; wrong clocks do no harm."""
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
    visitor.wait(lambda: [one for one in visitor.proxy.of_kind("view") if one.event["path"] == "/many/0"])
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
def test_view_is_counted_without_storage(visitor: BrowserVisitor, broken: str) -> None:
    """Without usable storage a view is counted, also after a first 503, and no error occurs."""
    visitor.proxy.mode = "refuse"
    tab = visitor.browser.open(
        visitor.page("/private", f"<script>window.errors = []; onerror = (e) => errors.push(e); {broken}</script>")
    )
    visitor.wait(lambda: visitor.proxy.of_kind("view"))
    visitor.proxy.mode = "pass"
    visitor.arrived(1)
    assert tab.js("errors") == []
    assert visitor.counted() == 1


def test_visitor_can_opt_out_by_link(visitor: BrowserVisitor) -> None:
    """After a link to #presstally-off nothing is sent from this browser, until one to #presstally-on."""
    tab = visitor.browser.open(visitor.page("/opt") + "#presstally-off")
    tab.until("localStorage.presstally == 'off'")
    tab.go(visitor.page("/opt-2"))
    time.sleep(1)
    assert visitor.proxy.sent == []
    tab.go(visitor.page("/opt-3") + "#presstally-on")
    visitor.arrived(1)
    assert visitor.counted() == 1


def test_localhost_counts_only_with_data_local(visitor: BrowserVisitor) -> None:
    """A page on localhost sends nothing without data-local."""
    tab = visitor.browser.open(visitor.page("/local", tag=""))
    tab.until("window.presstally")
    time.sleep(0.5)
    tab.go("about:blank")
    time.sleep(0.5)
    assert visitor.proxy.sent == []


def test_manual_mode_counts_only_explicit_views(visitor: BrowserVisitor) -> None:
    """With data-manual only presstally.view(path) counts; a page that includes the script twice counts once."""
    twice = '<script defer src="/t.js" data-site="haihau" data-local data-manual></script>'
    tab = visitor.browser.open(visitor.page("/manual", twice, tag="data-local data-manual"))
    tab.until("window.presstally")
    tab.js("history.pushState(0, '', '/manual/2'); 0")
    time.sleep(0.7)
    assert visitor.proxy.sent == []
    tab.js("presstally.view('/explicit'); 0")
    visitor.arrived(1)
    tab.js("presstally.view(); 0")
    visitor.arrived(2)
    assert [one.event["path"] for one in visitor.proxy.of_kind("view")] == ["/explicit", "/manual/2"]
    assert visitor.counted() == 2


def test_data_endpoint_and_foreign_referrer_are_used(visitor: BrowserVisitor) -> None:
    """data-endpoint sets the collector's URL; of a foreign referrer only the host is sent."""
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
