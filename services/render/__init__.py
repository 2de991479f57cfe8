"""Articles become pages.

    Kafka `articles` → builder → pages (pure) → store → Postgres, an article's page and lists in one transaction
    Postgres → site → the reader;   builder → Kafka `pages-live`: what the reader gets now

Roles: `builder` (consumer), `site` (public pages).
"""
