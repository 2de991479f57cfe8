"""`sites.toml`: what is read from it, and every error in it at once."""

import os
import time
from pathlib import Path

import pytest

from shared.sites import SitesError
from shared.sites_file import read_sites

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
        "origin 'a.example' must begin with http:// or https://",
        "site b: ",
        "site c: unknown key colour",
        "site a is declared twice",
    ):
        assert part in message, part
    assert message.count("; ") == 7


def test_read_sites_every_wrong_key_of_a_site_is_reported(tmp_path: Path) -> None:
    """One reading names each key that does not fit, also required ones and those of a section."""
    text = """
        [[site]]
        slug = "Hải"
        origins = "https://a.vn"
        timezone = "Asia/Ho_Chi_Minh"
        default_measure = "clicks"
        thousands_separator = "..."
        statistics = "privat"
        sections = [{ slug = "Tin", name = "Tin" }]
        sectoins = []
        """
    with pytest.raises(SitesError) as caught:
        read_sites(written(tmp_path, text))
    for sentence in (
        "Hải: slug may have lower-case letters",
        "without the key name",
        "origins must be a list",
        "default_measure 'clicks' must be views",
        "thousands_separator must have at most 1 characters",
        "statistics 'privat' must be public or token",
        "sections[0].slug may have",
        "unknown key sectoins",
    ):
        assert str(caught.value).count(sentence) == 1, sentence


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
    with pytest.raises(SitesError, match=rf"site english: .*{line.split(maxsplit=1)[0]} "):
        read_sites(written(tmp_path, GOOD.replace('identity = "tag:desk@english.example,2026-11-24"', line)))


def declared(*origins: str, slug: str = "a", more: str = "") -> str:
    listed = ", ".join(f'"{origin}"' for origin in origins)
    return f'[[site]]\nslug = "{slug}"\nname = "A"\norigins = [{listed}]\ntimezone = "UTC"\n{more}\n'


def test_read_sites_origins_are_as_browsers_send_them(tmp_path: Path) -> None:
    """Origins are normalised and kept once; the first one is the site's address."""
    text = declared("https://Hải-Hậu.VN:443/", "https://xn--hi-hu-v11bzc.vn", "http://hai-hau.vn:80")
    site = read_sites(written(tmp_path, text))["a"]
    assert site.origins == ["https://xn--hi-hu-v11bzc.vn", "http://hai-hau.vn"]
    assert site.url == "https://xn--hi-hu-v11bzc.vn"


def test_read_sites_same_origin_of_two_sites_is_refused(tmp_path: Path) -> None:
    """However it is written, one origin belongs to one site."""
    text = declared("https://a.vn", "https://b.vn") + declared("https://B.vn:443/", slug="b")
    with pytest.raises(SitesError, match=r"origin https://b\.vn is declared by two sites, a and b"):
        read_sites(written(tmp_path, text))


def test_read_sites_two_sites_on_ports_of_one_host(tmp_path: Path) -> None:
    """Two ports of a host are two origins; a port that nobody declares gets the first of them."""
    text = declared("http://a.vn:8081") + declared("http://a.vn:8082", slug="b")
    sites = read_sites(written(tmp_path, text))
    assert [sites.by_host(host).slug for host in ("a.vn:8081", "A.VN.:8082", "a.vn", "a.vn:9")] == ["a", "b", "a", "a"]


def test_read_sites_public_url_replaces_the_loopback_origin_of_one_site(tmp_path: Path) -> None:
    """The address of a copy for trying is that of its sample site, and never of a site that has an address."""
    text = declared("https://a.vn", "http://localhost:1")
    text += declared("http://localhost:8080", slug="b") + declared("http://127.0.0.1:8080", slug="c")
    sites = read_sites(written(tmp_path, text), "http://localhost:9000")
    assert [site.url for site in sites.values()] == ["https://a.vn", "http://localhost:9000", "http://127.0.0.1:8080"]
    assert sites["b"].origins == ["http://localhost:9000", "http://localhost:8080"]


def test_read_sites_of_a_folder_in_the_order_of_names(tmp_path: Path) -> None:
    """A folder has a file for each site; hidden files and those of other kinds are ignored."""
    folder = tmp_path / "sites"
    folder.mkdir()
    for name, slug in (("20-b.toml", "b"), ("10-a.toml", "a"), (".c.toml", "c"), ("d.toml~", "d"), ("e.txt", "e")):
        (folder / name).write_text(declared(f"https://{slug}.vn", slug=slug, more='theme = "t"'), encoding="utf-8")
    (folder / "..data").mkdir()
    sites = read_sites(folder)
    assert list(sites) == ["a", "b"]
    assert sites["b"].theme == str(folder / "t")
    (folder / "30-again.toml").write_text(declared("https://c.vn", slug="a"))
    with pytest.raises(SitesError, match=r"site a is declared twice, in 10-a.toml and 30-again.toml"):
        read_sites(folder)


def test_read_sites_of_a_folder_names_the_file_of_each_error(tmp_path: Path) -> None:
    """Of a hundred files, the wrong one is found by its name; of a single file it is not repeated."""
    for name, slug, more in (("a.toml", "a", 'theme_colour = "x"'), ("b.toml", "b", "colour = 1"), ("c.toml", "c", "")):
        (tmp_path / name).write_text(declared(f"https://{slug}.vn", slug=slug, more=more), encoding="utf-8")
    with pytest.raises(SitesError) as raised:
        read_sites(tmp_path)
    message = str(raised.value)
    assert "a.toml: site a: unknown key theme_colour" in message
    assert "b.toml: site b: unknown key colour" in message
    assert "c.toml" not in message
    with pytest.raises(SitesError) as raised:
        read_sites(tmp_path / "a.toml")
    assert str(raised.value).count("a.toml") == 1


@pytest.mark.parametrize("text", ["\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), "\ufeff" + GOOD.replace("\n", "\r\n")])
def test_read_sites_written_on_windows(tmp_path: Path, text: str) -> None:
    """A byte order mark and line ends of Windows change nothing."""
    assert list(read_sites(written(tmp_path, text)).items()) == list(read_sites(written(tmp_path, GOOD)).items())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[sites]]\n" + declared("https://a.vn"), "unknown key sites"),
        (declared("https://a.vn").replace("[[site]]", "[site]"), r"begins with \[\[site\]\]"),
        ("site = 1", r"begins with \[\[site\]\]"),
        ("site = [1]", r"begins with \[\[site\]\]"),
        (declared("https://a.vn", slug="assets"), "slug 'assets' is reserved"),
        (declared("https://a.vn", more='sections = [{slug = "stats", name = "S"}]'), "section 'stats' is reserved"),
        (
            declared("https://a.vn", more='sections = [{slug = "x", name = "S"}, {slug = "x", name = "T"}]'),
            "section x is declared twice",
        ),
        (declared("https://a.vn", more='tagline = "a\\u0000b"'), r"tagline has the control character U\+0000"),
        (
            declared("https://a.vn", more='sections = [{slug = "x", name = "\\u001b[2J"}]'),
            r"sections\[0\].name has the",
        ),
        (declared("https://*.a.vn"), r"origin 'https://\*.a.vn' has a wildcard"),
        (declared("https://a.vn").encode("utf-16"), "is not TOML"),
        ("a = " + "[" * 5_000, "is not TOML"),
    ],
)
def test_read_sites_odd_documents_are_refused(tmp_path: Path, text: str | bytes, reason: str) -> None:
    """Mistakes that would leave a site out or make a page that nobody can reach are errors."""
    with pytest.raises(SitesError, match=reason):
        read_sites(written(tmp_path, text))


def test_read_sites_odd_paths_are_refused(tmp_path: Path) -> None:
    """A folder without files, a loop of links and a pipe are one sentence each."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(SitesError, match="no file"):
        read_sites(tmp_path / "empty")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SitesError, match="loop: "):
        read_sites(tmp_path / "loop")
    with pytest.raises(SitesError, match=r"site a: theme 'loop' cannot be found: Symlink loop"):
        read_sites(written(tmp_path, declared("https://a.vn", more='theme = "loop"')))
    with pytest.raises(SitesError, match=r"theme 'a\\x00b' cannot be found: embedded null byte"):
        read_sites(written(tmp_path, declared("https://a.vn", more='theme = "a\\u0000b"')))
    with (tmp_path / "log.toml").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(SitesError, match=r"log.toml: it has 1,099,511,627,776 bytes; at most 8,388,608 are read"):
        read_sites(tmp_path / "log.toml")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SitesError, match="neither a file nor a folder"):
        read_sites(tmp_path / "pipe")


def test_read_sites_two_hundred_sites_are_read_in_a_second(tmp_path: Path) -> None:
    """A province's installation is read quickly, and each host finds its site."""
    text = "".join(declared(f"https://s{number}.vn", slug=f"s{number}") for number in range(200))
    file = written(tmp_path, text)
    begun = time.process_time()
    sites = read_sites(file)
    assert time.process_time() - begun < 1
    assert all(sites.by_host(f"s{number}.vn:443").slug == f"s{number}" for number in range(200))
