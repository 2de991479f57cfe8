"""Metrics of the render service."""

from prometheus_client import Counter, Gauge, Histogram

ARTICLES = Counter(
    "presstally_articles_rendered_total",
    "Article versions read, by what became of them: live, withdrawn, unchanged, failed.",
    ["result"],
)
RENDER_SECONDS = Histogram(
    "presstally_render_duration_seconds",
    "From an article in hand to its pages committed.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
PUBLISH_DELAY = Histogram(
    "presstally_publish_delay_seconds",
    "From the editor's save to the page that readers get.",
    buckets=(0.1, 0.3, 0.5, 1, 2, 5, 10, 30, 60),
)
PAGES = Counter(
    "presstally_pages_total",
    "Pages by how they came: memory; memory_alone, while Postgres is away; unchanged, looked at again; made; error.",
    ["result"],
)
CACHE_BYTES = Gauge("presstally_page_cache_bytes", "Memory that pages take.")
ARTICLES.labels("failed")  # at 0 from the start: an alert sees no rise of what was not there before
PAGES.labels("memory_alone")
