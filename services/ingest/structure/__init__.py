"""The structure of sites as newsrooms edit it: sections, tags, authors, menus and static pages."""
