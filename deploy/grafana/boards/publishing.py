"""Publishing: from an editor's click to the page."""

from deploy.grafana.boards.panels import Dashboard, I, Panel, or_zero, quantiles, resources

PUBLISHING = Dashboard(
    "presstally-publishing",
    "Presstally: publishing",
    "From an editor's click to the published page.",
    {
        "Publishing latency": [
            Panel(
                "Publish to live",
                "From the commit of a publication to the portal's confirmation that it is live.",
                "s",
                quantiles("presstally_article_publish_to_live_seconds"),
                exemplars=True,
            ),
            Panel(
                "Save to page",
                "From the editor's save to the committed page, measured by the builder.",
                "s",
                quantiles("presstally_article_render_delay_seconds"),
                exemplars=True,
            ),
            Panel(
                "Render time",
                "Time to render an article and commit its pages.",
                "s",
                quantiles("presstally_render_duration_seconds"),
                exemplars=True,
            ),
        ],
        "Editors": [
            Panel(
                "Editor actions",
                "Accepted changes by action.",
                "short",
                {"{{action}}": f"sum by (action) (increase(presstally_article_changes_total[{I}]))"},
                stacked=True,
                width=12,
            ),
            Panel(
                "Articles rendered",
                "Article versions that the builder processed, by result.",
                "short",
                {"{{result}}": f"sum by (result) (increase(presstally_articles_rendered_total[{I}]))"},
                stacked=True,
                width=12,
            ),
            Panel(
                "Recovered after a restore",
                "Articles and opening balances by which Postgres and Kafka differed.",
                "short",
                {"{{result}}": "sum by (result) (presstally_recovered_messages_total)"},
                width=12,
            ),
            Panel(
                "Outbox and schedule",
                "Committed messages that are not in Kafka yet, and how long the oldest due article is overdue.",
                "short",
                {
                    "messages": "max(presstally_outbox_pending_messages)",
                    "overdue, s": "max(presstally_schedule_overdue_seconds)",
                },
                width=12,
            ),
        ],
        "Hubs": [
            Panel(
                "Announcements to hubs",
                "Attempts to tell WebSub hubs that a feed has changed, by result.",
                "short",
                {"{{result}}": f"sum by (result) (increase(presstally_hub_announcements_total[{I}]))"},
                stacked=True,
                width=12,
            ),
            Panel(
                "Feeds waiting for a hub",
                "How long the oldest change of a feed has waited for a hub to accept it.",
                "s",
                {"oldest": "max(presstally_hub_announcement_wait_seconds)"},
                width=12,
            ),
        ],
        "People": [
            Panel(
                "Log-ins",
                "Attempts of people to log in, by result.",
                "short",
                {"{{result}}": or_zero(f"sum by (result) (increase(presstally_logins_total[{I}]))")},
                stacked=True,
                width=12,
            ),
            Panel(
                "Mails",
                "Mails to people, such as invitations, by result.",
                "short",
                {"{{result}}": or_zero(f"sum by (result) (increase(presstally_mails_total[{I}]))")},
                width=12,
            ),
        ],
        "Images": [
            Panel(
                "Uploads",
                "Completed uploads of images and documents by result.",
                "short",
                {
                    "images {{result}}": or_zero(f"sum by (result) (increase(presstally_media_uploads_total[{I}]))"),
                    "documents {{result}}": or_zero(f"sum by (result) (increase(presstally_file_uploads_total[{I}]))"),
                },
                width=12,
            ),
            Panel(
                "Image processing time",
                "Time to decode an image and create its renditions, including queueing.",
                "s",
                {
                    legend: f"({query} >= 0) or vector(0)"
                    for legend, query in quantiles("presstally_media_decode_seconds").items()
                },
                width=12,
            ),
        ],
        "Portal": [
            Panel(
                "Page responses",
                "Page responses by source. cache_stale: served from the cache while Postgres is unavailable.",
                "reqps",
                {"{{source}}": f"sum by (source) (rate(presstally_page_responses_total[{I}]))"},
                stacked=True,
            ),
            Panel(
                "Page response time",
                "From the first byte of the request to the last byte of the response.",
                "s",
                quantiles("http_server_request_duration_seconds", 'job="render"'),
            ),
            Panel(
                "Page cache size",
                "Memory used by cached pages.",
                "bytes",
                {"{{instance}}": "presstally_page_cache_bytes"},
            ),
        ],
        "Processes": resources("render"),
    },
)
