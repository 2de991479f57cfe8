"""Static export of a site."""
