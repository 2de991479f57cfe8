"""Articles → the rows of their pages."""
