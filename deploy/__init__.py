"""How Presstally is run."""
