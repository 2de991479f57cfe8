"""Page events → counts, exactly once."""
