"""The portal as static files."""
