"""The service's SQL statements, by name."""

from shared.postgres import read_queries

SQL = read_queries(__package__)
