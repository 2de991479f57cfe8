"""The service's SQL statements by name."""

from shared.postgres import read_queries

SQL = read_queries(__package__)
STRUCTURE_SQL = read_queries(__package__, "sql/structure.sql")
ACCOUNTS = read_queries(__package__, "sql/accounts.sql")
"""Those of people, sessions and log-ins."""
EDITING = read_queries(__package__, "sql/editing.sql")
"""Those of unsaved texts and of who has an article open."""
