"""Takes in page events and articles.

    browser → collector → visitors, bots → Kafka `page-views`
                        └→ refused_origins → Kafka `refused-origins`
    file    → imports   → articles → Postgres + outbox → outbox relay → Kafka `articles`
                             ▲ publication status ◀──── Kafka `pages-live` (what the portal serves)

Roles: `collector` (public), `articles` (editor API, outbox relay, scheduler, publication status).
"""
