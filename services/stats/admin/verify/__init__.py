"""`presstally stats verify`: recount the log, and compare every stored value that is shown with it."""
