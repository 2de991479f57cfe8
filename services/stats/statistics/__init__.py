"""The statistics page, its series and files."""
