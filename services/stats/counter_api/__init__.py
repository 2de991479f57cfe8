"""The counter: JSON, badge, fragment, live stream, Prometheus."""
