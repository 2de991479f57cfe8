"""Calls programs of others when the portal serves or withdraws an article."""
