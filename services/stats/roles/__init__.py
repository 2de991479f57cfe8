"""The roles of the stats service: wiring only."""
