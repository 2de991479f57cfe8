"""Builds another generation, checks it, swaps it in, and rolls back."""
