"""The system under Docker Compose: secrets, and verification on a real engine."""
