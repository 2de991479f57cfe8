"""What the services have in common: the contracts they meet in, and the plumbing they stand on.

Contracts: `events` (what goes over Kafka), `articles` (the article that travels), `topics` (where it goes),
`sites` (whose portal), `problems` (how errors look). Plumbing: `settings`, `logs`, `kafka`, `postgres`,
`migrate`, `process`. Nothing here knows a service.
"""

__version__ = "0.2.0"
