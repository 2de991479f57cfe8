"""Uploaded documents: their check, their storage, and the articles that offer them."""
