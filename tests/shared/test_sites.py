"""`sites.toml`: what is read from it, and every error in it at once."""

from pathlib import Path

import pytest

from shared.sites import Section, SitesError, read_sites

ROOT = Path(__file__).parent.parent.parent
GOOD = """
[[site]]
slug = "haihau"
name = "Hải Hậu"
origins = ["https://haihau.example", "http://localhost:8080"]
timezone = "Asia/Ho_Chi_Minh"
sections = [{ slug = "tin-tuc", name = "Tin tức" }]
theme = "themes/xanh"

[[site]]
slug = "english"
name = "English"
origins = ["https://english.example:8443"]
timezone = "America/New_York"
first_weekday = "sunday"
identity = "tag:desk@english.example,2026-11-24"
"""


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "sites.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_read_sites_gives_sites_in_order_with_defaults(tmp_path: Path) -> None:
    """Sites come in the file's order; fields that are left out have their defaults."""
    sites = read_sites(written(tmp_path, GOOD))
    assert list(sites) == ["haihau", "english"]
    site = sites["haihau"]
    assert (site.language, site.thousands_separator, site.default_measure, site.statistics) == (
        "vi",
        ",",
        "visits",
        "public",
    )
    assert (site.first_weekday_number, sites["english"].first_weekday_number) == (0, 6)
    assert (site.zone.key, site.separate_approver, site.count_headless_browsers) == ("Asia/Ho_Chi_Minh", False, False)


def test_read_sites_shipped_file_declares_the_sample_site() -> None:
    """The shipped sites.toml declares haihau as the design says."""
    site = read_sites(ROOT / "sites.toml")["haihau"]
    assert (site.timezone, site.language, site.first_weekday) == ("Asia/Ho_Chi_Minh", "vi", "monday")
    assert (site.thousands_separator, site.default_measure) == (",", "visits")


def test_read_sites_theme_is_relative_to_the_file(tmp_path: Path) -> None:
    """A theme's folder is found from the sites' file, whatever the working directory is."""
    sites = read_sites(written(tmp_path, GOOD))
    assert sites["haihau"].theme == str(tmp_path / "themes/xanh")
    assert sites["english"].theme == ""


def test_tag_authority_without_identity_depends_on_the_slug_alone(tmp_path: Path) -> None:
    """Permanent ids survive a new address of the site; an identity overrides the default."""
    first = read_sites(written(tmp_path, GOOD))
    moved = read_sites(written(tmp_path, GOOD.replace("https://haihau.example", "https://new.example")))
    assert first["haihau"].tag_authority == moved["haihau"].tag_authority == "tag:haihau.presstally.example,2026"
    assert first["english"].tag_authority == "tag:desk@english.example,2026-11-24"


def test_section_by_slug_is_found_or_none(tmp_path: Path) -> None:
    """A section is found by its exact slug."""
    site = read_sites(written(tmp_path, GOOD))["haihau"]
    assert site.section("tin-tuc") == Section("tin-tuc", "Tin tức")
    assert (site.section("Tin-tuc"), site.section("")) == (None, None)


@pytest.mark.parametrize(
    ("host", "slug"),
    [
        ("haihau.example", "haihau"),
        ("haihau.example:8443", "haihau"),
        ("localhost:8080", "haihau"),
        ("localhost", "haihau"),
        ("english.example:8443", "english"),
        ("english.example", "english"),
        ("elsewhere.example", "haihau"),
        ("", "haihau"),
        ("english.example.evil.example", "haihau"),
    ],
)
def test_by_host_claimed_host_gets_its_site_and_others_the_first(tmp_path: Path, host: str, slug: str) -> None:
    """A host is matched with and without its port; a host that no site claims gets the first site."""
    assert read_sites(written(tmp_path, GOOD)).by_host(host).slug == slug


def test_read_sites_invalid_sites_are_all_reported(tmp_path: Path) -> None:
    """One error lists every invalid site and field, so that one run finds them all."""
    bad = """
    [[site]]
    slug = "a"
    name = "A"
    origins = ["ftp://a.example", "https://a.example/path", "a.example"]
    timezone = "Asia/Saigon City"
    first_weekday = "mon"
    [[site]]
    slug = "b"
    name = "B"
    origins = []
    timezone = "UTC"
    [[site]]
    slug = "c"
    name = "C"
    origins = ["https://c.example"]
    timezone = "UTC"
    colour = "red"
    [[site]]
    slug = "a"
    name = "A"
    origins = ["https://a.example"]
    timezone = "UTC"
    """
    file = written(tmp_path, bad)
    with pytest.raises(SitesError) as refused:
        read_sites(file)
    message = str(refused.value)
    assert message.startswith(f"{file}: ")
    for part in (
        "site a: timezone 'Asia/Saigon City'",
        "site a: first_weekday 'mon' must be one of monday, tuesday",
        "origin 'ftp://a.example'",
        "origin 'https://a.example/path'",
        "origin 'a.example'",
        "site b: ",
        "site c: Object contains unknown field `colour`",
        "site a is declared twice",
    ):
        assert part in message, part
    assert message.count("; ") == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "declares no"),
        ("[[site]", "is not TOML"),
        (b"\xff", "is not TOML"),
    ],
)
def test_read_sites_without_sites_is_an_error(tmp_path: Path, text: str | bytes, reason: str) -> None:
    """An empty file, another format and another encoding are errors with the file's name."""
    with pytest.raises(SitesError, match=rf"sites\.toml.* {reason}|sites\.toml: it {reason}"):
        read_sites(written(tmp_path, text))


def test_read_sites_missing_file_is_an_error(tmp_path: Path) -> None:
    """A file that does not exist is reported with its path."""
    with pytest.raises(SitesError, match=r"sites\.toml: No such file"):
        read_sites(tmp_path / "sites.toml")


@pytest.mark.parametrize(
    "line",
    [
        'identity = "haihau.example"',
        'identity = "tag:Haihau.example,2026"',
        'identity = "tag:haihau.example,26"',
        'emblem = "https://elsewhere.example/a.svg"',
        'emblem = "//elsewhere.example/a.svg"',
        'hub = "hub.example"',
        'thousands_separator = ".."',
        'default_measure = "clicks"',
    ],
)
def test_read_sites_invalid_value_names_its_field(tmp_path: Path, line: str) -> None:
    """A value that a field does not allow is reported with the field's name."""
    with pytest.raises(SitesError, match=rf"site english: .*\$\.{line.split(maxsplit=1)[0]}"):
        read_sites(written(tmp_path, GOOD.replace('identity = "tag:desk@english.example,2026-11-24"', line)))
