"""The dashboards as code: panels (how one is written) → overview, collector, counting, publishing → __main__."""
