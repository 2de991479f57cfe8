"""Articles → rows that pages are made of."""
