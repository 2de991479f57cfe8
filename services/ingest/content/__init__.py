"""The content of an article: models, sanitizing, conversion, validation. Pure."""
