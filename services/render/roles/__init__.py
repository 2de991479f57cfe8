"""The roles of the render service: wiring only."""
