"""The system under Docker Compose: its secrets, and the proof that it runs."""
