"""One reader for each import format. Pure."""
