"""Article state → documents. Pure."""
