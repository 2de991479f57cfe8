"""Pictures of the dashboards from the shipped queries, a real Prometheus and a real system under load."""
