"""The counts: exact, and read with one query.

    Kafka `page-views` → counting.consumer → decoding, rules (pure) → store → Postgres, offsets and counts together
    Kafka `counter-adjustments` → counting.adjustments → Postgres
    Kafka `articles`, `pages-live` → counting.article_titles → Postgres
    Kafka `refused-origins` → counting.refused_origins → Postgres
    Postgres → statistics.time_series, top_articles → report → routes → the statistics page and the exports
    Postgres → counter_api.counter_query → counter_cache → endpoints, live_stream → the counter on the page

Roles: `counter` (consumer), `widget` (public reads).
"""
