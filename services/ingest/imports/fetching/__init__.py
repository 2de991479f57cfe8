"""Fetches the images of imported articles into the media store."""
