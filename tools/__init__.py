"""Programs that make pictures and samples for the documents."""
