"""Publishing: from an editor's click to the page."""

from deploy.grafana.boards.panels import Dashboard, I, Panel, or_zero, quantiles, resources

PUBLISHING = Dashboard(
    "presstally-publishing",
    "Presstally: publishing",
    "From an editor's click to the page that readers get.",
    {
        "From click to page": [
            Panel(
                "From publication to live",
                "From the commit of a publication to the portal's word that readers get it.",
                "s",
                quantiles("presstally_article_publish_to_live_seconds"),
            ),
            Panel(
                "From save to page",
                "From the editor's save to the committed page, as the builder sees it.",
                "s",
                quantiles("presstally_article_render_delay_seconds"),
            ),
            Panel(
                "Rendering",
                "From an article in hand to its pages committed.",
                "s",
                quantiles("presstally_render_duration_seconds"),
            ),
        ],
        "Editors": [
            Panel(
                "What editors do",
                "Accepted changes by action.",
                "short",
                {"{{action}}": f"sum by (action) (increase(presstally_article_changes_total[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Articles rendered",
                "Versions that the builder read, by what became of them.",
                "short",
                {"{{result}}": f"sum by (result) (increase(presstally_articles_rendered_total[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Outbox and schedule",
                "Committed messages that Kafka does not have, and how long the oldest due article waits.",
                "short",
                {
                    "messages": "max(presstally_outbox_pending_messages)",
                    "overdue, s": "max(presstally_schedule_overdue_seconds)",
                },
            ),
        ],
        "Images": [
            Panel(
                "Uploads",
                "Images that were uploaded whole, by what became of them.",
                "short",
                {"{{result}}": or_zero(f"sum by (result) (increase(presstally_media_uploads_total[{I}]))")},
                width=12,
            ),
            Panel(
                "Time for an image",
                "From an image in hand to its copies, with the wait for a free decoder.",
                "s",
                {
                    legend: f"({query} >= 0) or vector(0)"
                    for legend, query in quantiles("presstally_media_decode_seconds").items()
                },
                width=12,
            ),
        ],
        "The portal": [
            Panel(
                "Pages",
                "Page responses by source. cache_stale: served from the cache while Postgres is unavailable.",
                "reqps",
                {"{{source}}": f"sum by (source) (rate(presstally_page_responses_total[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Time of a page",
                "From the request's first byte to the answer's last.",
                "s",
                quantiles("http_server_request_duration_seconds", 'job="render"'),
            ),
            Panel(
                "Memory of pages",
                "What the portal keeps in memory of pages that were made.",
                "bytes",
                {"{{instance}}": "presstally_page_cache_bytes"},
            ),
        ],
        "Processes": resources("render"),
    },
)
