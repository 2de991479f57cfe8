"""The documentation as a site: the Markdown files as they are in the repository, with navigation and search."""
