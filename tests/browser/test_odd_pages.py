"""The tracker on odd pages in real Chromium: each page that is seen is one view, and the page does not break."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.browser.browser_visitor import QUICK_PINGS, BrowserVisitor
from tests.browser.chromium import Tab
from tests.browser.fault_proxy import FaultProxy
from tests.browser.firefox import Firefox

TRACKER = (Path(__file__).parent.parent.parent / "services/ingest/collector/tracker/t.min.js").read_text()
TAG = '<script defer src="/t.js" data-site="haihau" data-local></script>'
ERRORS = (
    "<script>window.errors = []; onerror = (e) => errors.push(e); onunhandledrejection = (e) => errors.push(e)</script>"
)
INLINED = f'<script data-site="haihau" data-local>{TRACKER}</script>'
VIETNAMESE = "/odd/tin-tức-😀"


class OddPage(NamedTuple):
    """A page, what happens on it, and the paths that must be counted; None: the page's own."""

    head: str
    paths: list[str | None]
    script: str = ""
    xhtml: bool = False


def canonical(href: str, before: str = "") -> OddPage:
    """Return a page with a canonical link that is counted under its own path."""
    return OddPage(f'{before}<link rel="canonical" href="{href}">{TAG}', [None])


ROUTER = (
    "{ const push = history.pushState, put = history.replaceState; window.go = (to) => push.call(history, 0, '', to) }"
)
NAVIGATION = """navigation.addEventListener("navigate", (event) => event.canIntercept && event.intercept({ handler() {
  document.title = "next" } }))"""
TURBO = """history.replaceState({ turbo: 1 }, '', location); history.pushState({ turbo: 2 }, '', '/odd/turbo-2');
  document.body.replaceWith(document.createElement('body'))"""
BACK = "history.pushState(0, '', '/odd/vue-2'); setTimeout(() => history.back(), 2500)"
PAGES = {
    "canonical-scheme": canonical("http://"),
    "canonical-slashes": canonical("//"),
    "canonical-bracket": canonical("http://[bad"),
    "canonical-script": canonical("javascript:alert(1)"),
    "canonical-data": canonical("data:text/html,x"),
    "canonical-mail": canonical("mailto:a@example.com"),
    "canonical-empty": canonical(""),
    "canonical-spaces": OddPage(f'<link rel="canonical" href="https://a b/c%">{TAG}', ["/c%"]),
    "canonical-svg": OddPage('<svg><a rel="canonical" href="x"></a></svg>' + TAG, [None]),
    "canonical-relative": OddPage(f'<link rel="canonical" href="../x/y?z#w">{TAG}', ["/x/y"]),
    "canonical-host": OddPage(f'<link rel="canonical" href="https://other.example/z">{TAG}', ["/z"]),
    "base": OddPage(f'<base href="/deep/dir/"><link rel="canonical" href="page">{TAG}', ["/deep/dir/page"]),
    "named-like-the-tracker": OddPage(f'{TAG}<body><div id="presstally"></div>', [None]),
    "module": OddPage('<script type="module" src="/t.js" data-site="haihau" data-local></script>', [None]),
    "inlined": OddPage(INLINED, [None]),
    "inlined-module": OddPage(INLINED.replace("<script ", '<script type="module" '), [None]),
    "written": OddPage(
        f"<script>document.write({json.dumps(TAG.replace('/s', '<!---->').replace('<!---->', '/s'))}".replace(
            "</script>", "<\\/script>"
        )
        + ")</script>",
        [None],
    ),
    "injected": OddPage(
        "<script>const s = document.createElement('script'); s.src = '/t.js'; s.dataset.site = 'haihau'; "
        "s.dataset.local = ''; document.head.append(s)</script>",
        [None],
    ),
    "twice": OddPage(TAG + TAG + TAG.replace("<script ", '<script type="module" '), [None]),
    "frames": OddPage(f'{TAG}<iframe src="/odd/framed"></iframe><iframe src="/odd/framed"></iframe>', [None]),
    "frame-alone": OddPage('<iframe src="/odd/framed"></iframe>', ["/odd/framed"]),
    "frame-srcdoc": OddPage(f"{TAG}<iframe srcdoc='{TAG}'></iframe>", [None]),
    "frame-sandboxed": OddPage(f'{TAG}<iframe sandbox="allow-scripts" src="/odd/framed"></iframe>', [None]),
    "router-kept": OddPage(f"<script>{ROUTER}</script>{TAG}", [None, "/odd/kept-2"], "go('/odd/kept-2')"),
    "router-navigation": OddPage(
        f"<script>{NAVIGATION}</script>{TAG}", [None, "/odd/navigation-2"], "location.href = '/odd/navigation-2'"
    ),
    "router-turbo": OddPage(TAG, [None, "/odd/turbo-2"], TURBO),
    "router-back": OddPage(TAG, [None, "/odd/vue-2", None], BACK),
    "router-hash": OddPage(TAG, [None], "location.hash = '/a'; location.hash = '/b'"),
    "router-frozen": OddPage(
        f"<script>Object.freeze(history)</script>{TAG}", [None, "/odd/z"], "history.pushState(0,'','/odd/z')"
    ),
    "long": OddPage(TAG, [None, "/" + "a" * 999], "history.pushState(0, '', '/' + 'a'.repeat(9e4))"),
    "vietnamese": OddPage(
        TAG,
        [None, "/odd/tin-t%E1%BB%A9c-%F0%9F%98%80", "/odd/tin-tu%CC%9B%CC%81c-%F0%9F%98%80"],
        f"history.pushState(0, '', '{VIETNAMESE}'); "
        f"setTimeout(() => history.pushState(0, '', '{VIETNAMESE}'.normalize('NFD')), 2500)",
    ),
    "escapes": OddPage(TAG, [None, "/odd/a%zz%E1%%00"], "history.pushState(0, '', '/odd/a%zz%E1%%00')"),
    "xhtml": OddPage(TAG.replace("defer ", "").replace("data-local", 'data-local=""'), [None], xhtml=True),
    "body-site": OddPage(f'{TAG.replace("defer", "type=module")}<body data-site="other">', [None]),
    "prefetch": OddPage(f'<link rel="prefetch" href="/odd/twice">{TAG}', [None]),
}


@pytest.fixture
def open_page(visitor: BrowserVisitor) -> Callable[[str, OddPage], Tab]:
    """Return what serves an odd page and opens it."""
    visitor.proxy.pages["/odd/framed"] = f"<!doctype html><title>framed</title>{TAG}"

    def open_page(name: str, page: OddPage) -> Tab:
        path = f"/odd/{name}"
        html = f"<html><head><title>{name}</title>{ERRORS}{page.head}</head><body><p>{name}</p></body></html>"
        if page.xhtml:
            html = html.replace("<html>", '<html xmlns="http://www.w3.org/1999/xhtml">').replace("=>", "=&gt;")
            visitor.proxy.headers[path] = {"content-type": "application/xhtml+xml; charset=utf-8"}
        visitor.proxy.pages[path] = "<!DOCTYPE html>" + html
        return visitor.browser.open(visitor.proxy.url + path)

    return open_page


def accepted(visitor: BrowserVisitor) -> list[str]:
    return [one.event["path"] for one in visitor.proxy.of_kind("view") if one.status == 202]


def wait_for_views(visitor: BrowserVisitor, views: int) -> None:
    """Wait for accepted views, but not for long: their number is compared later, for all pages."""
    deadline = time.monotonic() + 20 * views
    while len(accepted(visitor)) < views and time.monotonic() < deadline:
        time.sleep(0.05)


def test_odd_page_is_one_view_for_each_path(visitor: BrowserVisitor, open_page: Callable[[str, OddPage], Tab]) -> None:
    """Bad canonical links, modules, frames, routers and strange paths: each view is accepted once, without an error."""
    wrong = {}
    for name, page in PAGES.items():
        visitor.proxy.sent.clear()
        tab = open_page(name, page)
        expected = [path or f"/odd/{name}" for path in page.paths]
        wait_for_views(visitor, 1)
        if page.script:
            tab.js(page.script + "; 0")
            wait_for_views(visitor, len(expected))
        time.sleep(0.5)  # for surplus ones
        found = accepted(visitor), tab.js("window.errors")
        if found != (expected, []):
            wrong[name] = found
        tab.close()
    assert wrong == {}


def test_refused_page_sends_one_view_and_then_nothing(visitor: BrowserVisitor) -> None:
    """A page of an origin that is not declared reads the refusal: no retry, no ping, no leave, an empty outbox."""
    visitor.proxy.pages["/undeclared"] = (
        f"<!doctype html><title>x</title>{QUICK_PINGS}"
        f'<script defer src="{visitor.proxy.url}/t.js" data-site="haihau" data-local></script>'
    )
    tab = visitor.browser.open(visitor.proxy.url.replace("localhost", "127.0.0.1") + "/undeclared")
    visitor.wait(lambda: visitor.proxy.of_kind("view"))
    time.sleep(3)
    assert tab.js("localStorage.length") == 0
    tab.go("about:blank")
    time.sleep(0.5)
    assert [(one.kind, one.status) for one in visitor.proxy.sent] == [("view", 403)]


def test_blocked_requests_are_repeated_slowly_and_without_errors(visitor: BrowserVisitor) -> None:
    """A content blocker fails each request: the tracker waits longer each time, and the page does not notice."""
    blocked = "window.tries = 0; fetch = () => { tries++; return Promise.reject(new TypeError('blocked')) }"
    tab = visitor.browser.open(visitor.page("/blocked", f"{ERRORS}<script>{blocked}</script>"))
    tab.until("window.tries > 0")
    assert tab.js("new Promise((resolve) => setTimeout(() => resolve(tries), 4000))") <= 4
    assert tab.js("errors") == []


def test_page_of_a_file_counts_nothing(visitor: BrowserVisitor, tmp_path: Path) -> None:
    """A saved copy of a page that is opened from a disk sends nothing."""
    (tmp_path / "saved.html").write_text(TAG.replace("/t.js", visitor.proxy.url + "/t.js").replace(" data-local", ""))
    tab = visitor.browser.open((tmp_path / "saved.html").as_uri())
    tab.until("window.presstally")
    time.sleep(1)
    assert visitor.proxy.sent == []


@pytest.mark.parametrize("source", ["https://presstally.example", "'self'"])
def test_documented_policy_suffices(visitor: BrowserVisitor, source: str) -> None:
    """On a page with exactly the documented Content Security Policy a view is counted, and nothing violates it."""
    document = (Path(__file__).parent.parent.parent / "docs/tracking.md").read_text(encoding="utf-8")
    (policy,) = re.findall(r"^Content-Security-Policy: (.*)$", document, re.MULTILINE)
    policy = policy.replace("https://presstally.example", source)
    listener = (
        "window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(e.blockedURI))"
    )
    visitor.proxy.pages |= {"/listener.js": listener, "/strict": f'<script src="/listener.js"></script>{TAG}'}
    visitor.proxy.headers["/listener.js"] = {"content-type": "text/javascript"}
    visitor.proxy.headers["/strict"] = {
        "content-security-policy": f"{policy}; require-trusted-types-for 'script'".replace(
            "https://presstally.example", visitor.proxy.url
        )
    }
    tab = visitor.browser.open(visitor.proxy.url + "/strict")
    visitor.arrived(1)
    tab.js(f"new Image().src = '{visitor.proxy.url}/p.gif?site=haihau&path=/strict'; 0")
    tab.js("presstally.view('/strict/2'); 0")
    visitor.arrived(2)
    assert tab.js("violations") == []
    tab.go(visitor.page("/after"))
    visitor.wait(lambda: visitor.proxy.of_kind("leave"), what="the leave")
    assert [one.status for one in visitor.proxy.of_kind("leave")] == [202]


def test_page_that_withholds_its_referrer_sends_pings_and_leaves(proxy: FaultProxy, wait: Callable[..., None]) -> None:
    """Firefox sends beacons of a page with `no-referrer` without their origin; what the tracker sends has it."""
    proxy.pages["/withheld"] = f"<!doctype html><title>x</title>{QUICK_PINGS}{TAG}"
    proxy.headers["/withheld"] = {"referrer-policy": "no-referrer"}
    firefox = Firefox()
    try:
        firefox.open(f"{proxy.url}/withheld")
        wait(lambda: proxy.of_kind("ping"), what="a ping")
        firefox.open("about:blank")
        wait(lambda: proxy.of_kind("leave"), what="the leave")
    finally:
        firefox.close()
    assert 403 not in {one.status for one in proxy.sent}
