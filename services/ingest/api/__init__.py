"""The editor API, below `/api`."""
