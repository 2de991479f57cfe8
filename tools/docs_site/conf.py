"""Sphinx's settings for the documentation; `make docs` calls them (tools/docs_site)."""

from pathlib import Path

project = "Presstally"
html_title = "Presstally"
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_favicon = str(Path(__file__).parents[2] / "services/render/theme/icon.svg")
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#8c1418", "color-brand-content": "#8c1418"},
    "dark_css_variables": {"color-brand-primary": "#f3c34a", "color-brand-content": "#f3c34a"},
}
highlight_language = "none"  # blocks without a language are commands and pictures
