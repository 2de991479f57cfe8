"""Settings and sites: everything that is wrong is said at once."""

from pathlib import Path

import pytest

from services.ingest.settings import IngestSettings
from shared.settings import SettingsError
from shared.sites import SitesError, read_sites

ROOT = Path(__file__).parent.parent.parent
GOOD = {"KAFKA_BOOTSTRAP": "127.0.0.1:9092", "DATABASE_URL": "postgresql://u:secret@127.0.0.1/db"}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL", "PRESSTALLY_SITES", "PRESSTALLY_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)


def test_every_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One error names each missing and each wrong variable."""
    monkeypatch.setenv("PRESSTALLY_HTTP_PORT", "many")
    monkeypatch.setenv("PRESSTALLY_LOG_LEVEL", "loud")
    monkeypatch.setenv("PRESSTALLY_TRUSTED_PROXIES", "everybody")
    with pytest.raises(SettingsError) as error:
        IngestSettings.load()
    text = str(error.value)
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL", "_HTTP_PORT", "_LOG_LEVEL", "_TRUSTED_PROXIES"):
        assert name in text
    assert text.startswith("5 setting(s)")


def test_secrets_come_from_files_and_are_never_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """DATABASE_URL_FILE fills DATABASE_URL; no error and no print shows what it holds."""
    (tmp_path / "url").write_text(GOOD["DATABASE_URL"] + "\n")
    monkeypatch.setenv("KAFKA_BOOTSTRAP", GOOD["KAFKA_BOOTSTRAP"])
    monkeypatch.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    settings = IngestSettings.load()
    assert settings.database_url.get_secret_value() == GOOD["DATABASE_URL"]
    assert "secret" not in repr(settings)
    monkeypatch.setenv("PRESSTALLY_HTTP_PORT", "x")
    with pytest.raises(SettingsError) as error:
        IngestSettings.load()
    assert "secret" not in str(error.value)


def test_a_secret_file_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A *_FILE that cannot be read is an error that names it."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP", GOOD["KAFKA_BOOTSTRAP"])
    monkeypatch.setenv("DATABASE_URL_FILE", "/nowhere/url")
    with pytest.raises(SettingsError, match="DATABASE_URL_FILE: /nowhere/url: No such file"):
        IngestSettings.load()


def test_the_sample_sites_are_good() -> None:
    """The shipped sites.toml declares haihau as the design says."""
    site = read_sites(ROOT / "sites.toml")["haihau"]
    assert (site.timezone, site.language, site.first_weekday) == ("Asia/Ho_Chi_Minh", "vi", "monday")
    assert (site.thousands_separator, site.default_measure) == (",", "visits")


def test_every_fault_of_the_sites_is_named(tmp_path: Path) -> None:
    """One error lists what is wrong with all sites of the file."""
    file = tmp_path / "sites.toml"
    file.write_text(
        """
        [[site]]
        slug = "a"
        name = "A"
        origins = ["haihau.example"]
        timezone = "Asia/Nowhere"
        first_weekday = "Thứ Hai"
        [[site]]
        slug = "b"
        name = "B"
        origins = ["https://b.example"]
        timezone = "UTC"
        colour = "red"
        """
    )
    with pytest.raises(SitesError) as error:
        read_sites(file)
    for words in ("Asia/Nowhere", "Thứ Hai", "haihau.example", "site b", "colour"):
        assert words in str(error.value)


@pytest.mark.parametrize("text", ["", "[[site]", "\xff"])
def test_a_file_without_sites_is_refused(tmp_path: Path, text: str) -> None:
    """An empty or broken file is an error that names the file."""
    file = tmp_path / "sites.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SitesError, match=r"sites\.toml"):
        read_sites(file)


def test_a_host_finds_its_site(tmp_path: Path) -> None:
    """A host that a site claims gets that site, with or without its port; any other gets the first."""
    file = tmp_path / "sites.toml"
    sites = [("a", "https://a.example"), ("b", "http://b.example:8080")]
    file.write_text("".join(f'[[site]]\nslug="{s}"\nname="{s}"\norigins=["{o}"]\ntimezone="UTC"\n' for s, o in sites))
    read = read_sites(file)
    assert [read.of_host(host).slug for host in ("a.example", "b.example", "b.example:8080", "c", "")] == list("abbaa")
