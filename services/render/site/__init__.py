"""The public portal over HTTP."""
