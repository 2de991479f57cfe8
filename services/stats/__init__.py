"""The counts: exact, and read in one look.

    Kafka `page-views` → counter → counting (pure) → calendar (pure) → store → Postgres, offsets and counts together
    Kafka `counter-adjustments` → adjustments → Postgres
    Kafka `articles`, `pages-live` → titles → Postgres
    Postgres → history, most_read → gathering → statistics → the statistics page and the exports
    Postgres → reading → widget → live → the counter on the page

Roles: `counter` (consumer), `widget` (public reads).
"""
