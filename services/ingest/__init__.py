"""How things enter: signs of readers, and articles.

    browser → collector → visitors (keys, bots) → Kafka `page-views`
    file    → imports   → articles → Postgres + outbox → relay → Kafka `articles`
                             ▲ publications ◀──── Kafka `pages-live` (what the portal serves)

Roles: `collector` (public), `articles` (editor API, relay, publications).
"""
