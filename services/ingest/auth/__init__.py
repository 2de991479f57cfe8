"""Bearer tokens and actors."""
