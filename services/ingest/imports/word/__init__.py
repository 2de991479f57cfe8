"""Word documents (DOCX) as articles."""
