"""Metrics of the render service."""

from prometheus_client import Counter, Gauge, Histogram

ARTICLES = Counter(
    "presstally_articles_rendered_total",
    "Article versions consumed, by result: live, withdrawn, unchanged, failed.",
    ["result"],
)
RENDER_SECONDS = Histogram(
    "presstally_render_duration_seconds",
    "Time from an article's arrival to the commit of its pages.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
PUBLISH_DELAY = Histogram(
    "presstally_article_render_delay_seconds",
    "Time from the editor's save to the published page.",
    buckets=(0.1, 0.3, 0.5, 1, 2, 5, 10, 30, 60),
)
PAGES = Counter(
    "presstally_page_responses_total",
    "Page responses by source: cache; cache_stale (Postgres unavailable); revalidated; rendered; error.",
    ["source"],
)
CACHE_BYTES = Gauge("presstally_page_cache_bytes", "Memory that pages take.")
HUB_ANNOUNCEMENTS = Counter(
    "presstally_hub_announcements_total",
    "Attempts to tell WebSub hubs that a feed has changed, by result: announced, failed (it is tried again).",
    ["result"],
)
HUB_WAIT = Gauge(
    "presstally_hub_announcement_wait_seconds",
    "How long the oldest change of a feed has waited for a hub to accept it.",
)
ARTICLES.labels("failed")  # at 0 from the start: an alert sees no rise of what was not there before
PAGES.labels("cache_stale")
for _result in ("announced", "failed"):
    HUB_ANNOUNCEMENTS.labels(_result)
