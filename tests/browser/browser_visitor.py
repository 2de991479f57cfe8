"""A visitor with a real browser, for the tests of the tracker."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.browser.chromium import Chromium
from tests.browser.fault_proxy import FaultProxy

Wait = Callable[..., Any]
QUICK_PINGS = (
    "<script>{ const real = setInterval; window.setInterval = (f, ms, ...a) => real(f, ms / 100, ...a) }</script>"
)


@dataclass
class BrowserVisitor:
    """A visitor with a browser of its own, on pages of an article without other visitors."""

    system: Any
    proxy: FaultProxy
    browser: Chromium
    agent: str
    article: str
    wait: Wait
    new_id: Callable[[], str]
    asked: set[str] = field(default_factory=set)
    """Articles whose counter was asked before."""

    def page(self, path: str, head: str = "", tag: str = "data-local", article: str | None = None) -> str:
        """Add a page to the proxy and return its URL."""
        meta = f'<meta name="presstally:article" content="{article or self.article}">'
        script = f'<script defer src="/t.js" data-site="haihau" {tag}></script>'
        self.proxy.pages[path] = (
            f"<!doctype html><html><head><title>{path}</title>{meta}{head}{script}</head><h1>{path}"
        )
        return self.proxy.url + path

    def counted(self, article: str | None = None) -> int:
        """Return the counter's views of the article, once everything that this visitor has sent is counted."""
        marker = f"marker-{time.time_ns()}"
        event = {"id": self.new_id(), "site": "haihau", "kind": "view", "path": "/marker", "article": marker}
        assert self.system.post_events(event, user_agent=self.agent).status == 202
        total = lambda of: self.system.get(f"/stats/haihau/articles/{of}/counter").json()["total"]  # noqa: E731
        self.wait(lambda: total(marker) == 1)  # same visitor, same partition: everything before it is counted, too
        wanted, counted_at = article or self.article, time.time()
        path = f"/stats/haihau/articles/{wanted}/counter"
        if wanted in self.asked:  # the response is cached, for longer the slower the machine is
            self.wait(lambda: datetime.fromisoformat(self.system.get(path).json()["as_of"]).timestamp() > counted_at)
        self.asked.add(wanted)
        return int(total(wanted))

    def arrived(self, views: int) -> None:
        """Wait until this many distinct views were answered with 202, and then for surplus ones."""
        kept = lambda: {one.event["id"] for one in self.proxy.of_kind("view") if one.status == 202}  # noqa: E731
        self.wait(lambda: len(kept()) >= views, what=f"{views} views")
        time.sleep(0.5)
        assert len(self.proxy.view_ids) == views, self.proxy.sent
