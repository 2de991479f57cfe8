"""Pictures of the dashboards: the shipped queries, a real Prometheus, a real system under load."""
