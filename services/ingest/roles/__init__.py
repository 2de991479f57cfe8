"""The roles of the ingest service: wiring only."""
