"""A faulty theme is found when a process starts."""

from pathlib import Path

import pytest

from services.render.pages.theme_check import check_theme, render_every_kind
from services.render.pages.themes import ThemeError
from shared.sites import Section, Site

URL = "https://x.example"


def site(theme: Path | str = "", sections: bool = True) -> Site:
    listed = [Section("tin-tuc", "Tin tức")] if sections else []
    return Site(slug="x", name="X", origins=[URL], timezone="UTC", sections=listed, theme=str(theme))


@pytest.mark.parametrize("sections", [True, False])
def test_render_every_kind_of_the_default_theme_gives_pages(sections: bool) -> None:
    """Every kind of page can be rendered, also for a site without sections."""
    pages = render_every_kind(site(sections=sections), URL)
    assert {"article", "home", "months", "site map", "search", "error 404", "error 503"} <= pages.keys()
    assert all(page.body.startswith(b"<!doctype html>") for page in pages.values())
    check_theme(site(sections=sections))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", "article.html"),
        ("{{ nothing.at_all }}", "article.html, line 1"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% extends 'missing.html' %}", "missing.html"),
    ],
)
def test_check_theme_faulty_template_names_theme_site_and_line(tmp_path: Path, template: str, message: str) -> None:
    """The error names the theme, the site and where it failed."""
    (tmp_path / "article.html").write_text(template)
    with pytest.raises(ThemeError) as error:
        check_theme(site(tmp_path))
    assert str(tmp_path) in str(error.value)
    assert message in str(error.value)


def test_check_theme_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A theme whose folder does not exist is an error."""
    with pytest.raises(ThemeError):
        check_theme(site(tmp_path / "missing"))
