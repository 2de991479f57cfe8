"""Shared by the services: the contracts between them, and plumbing.

Contracts: `events` (what goes over Kafka), `articles` (the article that travels), `topics` (where it goes),
`sites` (the portals), `http.problems` (errors), `text` (plain and folded text). Plumbing: `settings`, `logs`, `kafka`,
`postgres`, `retry`, `migrate`, `process`, `cli`. Nothing here imports a service.
"""

__version__ = "0.2.0"
