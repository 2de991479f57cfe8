"""The dashboards as code: panels (how a panel is written) → boards (which there are) → __main__ (the files)."""
