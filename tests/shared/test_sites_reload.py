"""Changes of the sites' configuration while a process runs: all of it is taken over, or the former one stays."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from shared import sites_reload
from shared.settings import SettingsError
from shared.sites import Sites
from shared.sites_reload import SitesReload, config_stamp

OK = "presstally_sites_config_last_reload_successful"
AT = "presstally_sites_config_last_reload_success_timestamp_seconds"


def one(slug: str, host: str = "", more: str = "") -> str:
    table = f'slug = "{slug}"\nname = "{slug}"\norigins = ["https://{host or slug}.vn"]\ntimezone = "UTC"'
    return f"[[site]]\n{table}\n{more}\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settle in a moment."""
    monkeypatch.setattr(sites_reload, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(sites_reload, "SETTLE_SECONDS", 0.02)
    monkeypatch.setattr(sites_reload, "LOOK_SECONDS_MIN", 0.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "sites.toml"
    file.write_text(one("a") + one("b"))
    return file


@asynccontextmanager
async def running(reload: SitesReload) -> AsyncIterator[None]:
    task = asyncio.create_task(reload.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - it is what is tested
            await asyncio.sleep(0.01)


def replaced(file: Path, text: str) -> None:
    """Write like an editor: a new file, then its name."""
    new = file.with_name("new~")
    new.write_text(text)
    new.rename(file)


async def test_added_removed_and_changed_sites_are_taken_over(file: Path) -> None:
    """Everything that holds the sites sees the new ones; an unchanged site stays the same object."""
    reload = SitesReload(file, None)
    sites, a = reload.sites, reload.sites["a"]
    async with running(reload):
        file.write_text(one("a") + one("c"))
        await until(lambda: "c" in sites)
        assert (list(sites), sites["a"] is a, reload.warnings()) == (["a", "c"], True, [])
        replaced(file, one("a", more='tagline = "new"') + one("c"))
        await until(lambda: sites["a"].tagline == "new")
        assert sites.changed_at > 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "declares no"),
        (one("a") + "[[site", "not TOML"),
        (one("a") + one("a"), "declared twice"),
        (one("a", "x") + one("b", "x"), "two sites"),
        (one("a", more='colour = "red"'), "colour"),
        (one("a", "*.x"), "wildcard"),
        ("\x00", "not TOML"),
    ],
)
async def test_refused_configuration_leaves_the_former_one(file: Path, text: str, reason: str) -> None:
    """Nothing of an invalid configuration is used; a warning and a metric last until it is corrected."""
    reload = SitesReload(file, None)
    before, accepted_at = dict(reload.sites), REGISTRY.get_sample_value(AT)
    assert REGISTRY.get_sample_value(OK) == 1
    file.write_text(text)
    assert not await reload.refresh()
    assert dict(reload.sites) == before
    assert (len(reload.warnings()), REGISTRY.get_sample_value(OK)) == (1, 0)
    assert reason in reload.warnings()[0]
    assert REGISTRY.get_sample_value(AT) == accepted_at
    assert reload.configuration()["problem"] == reload.problem
    file.write_text(one("c"))
    assert await reload.refresh()
    assert (list(reload.sites), reload.warnings(), REGISTRY.get_sample_value(OK)) == (["c"], [], 1)


async def test_deleted_and_unreadable_files_leave_the_former_configuration(file: Path) -> None:
    """A missing file, or a folder in its place, is refused; the same file again is accepted."""
    reload = SitesReload(file, None)
    text = file.read_text()
    file.unlink()
    assert not await reload.refresh()
    assert "No such file" in reload.warnings()[0]
    file.mkdir()
    assert not await reload.refresh()
    assert "no file *.toml" in reload.warnings()[0]
    file.rmdir()
    file.write_text(text)
    assert not await reload.refresh()  # the sites are the same
    assert (reload.warnings(), list(reload.sites)) == ([], ["a", "b"])


async def test_file_that_is_being_written_is_not_read(file: Path) -> None:
    """Half of a file may be valid: it is read once it has not changed for a while."""
    reload, seen = SitesReload(file, None), []
    reload.sites.on_change(lambda: seen.append(list(reload.sites)))
    parts = [one(f"s{number}") for number in range(10)]
    with file.open("w") as writing:
        for part in parts:
            writing.write(part)
            writing.flush()
            refreshing = asyncio.create_task(reload.refresh())
            await asyncio.sleep(0.005)
        writing.flush()
    await refreshing
    await reload.refresh()
    assert list(reload.sites) == [f"s{number}" for number in range(10)]
    assert reload.problem is None


async def test_file_that_is_written_again_and_again_with_one_content_is_read(file: Path) -> None:
    """A program that writes a file all the time delays nothing: what does not change is settled."""
    reload = SitesReload(file, None)
    reload.sites.on_change(lambda: seen.append(list(reload.sites)))
    seen: list[list[str]] = []
    number = 0

    def written_again(path: Path) -> tuple[object, ...]:
        nonlocal number
        number += 1
        replaced(file, one("c"))
        os.utime(file, ns=(number, number))
        return config_stamp(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sites_reload, "config_stamp", written_again)
        assert await reload.refresh()
    assert (seen, reload.problem, REGISTRY.get_sample_value(OK)) == ([["c"]], None, 1)
    assert not await reload.refresh()


@contextmanager
def changing(file: Path) -> Iterator[list[str]]:
    """Write another content each time that the file is looked at; yields the sites that were written."""
    written: list[str] = []

    def changed(path: Path) -> tuple[object, ...]:
        written.append(f"c{len(written) + 1}")
        replaced(file, one(written[-1]))
        return config_stamp(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sites_reload, "config_stamp", changed)
        yield written


async def test_file_that_never_settles_is_told_and_read_once_it_does(file: Path) -> None:
    """Half of a file is never used: a warning and the metric tell of it, and no request waits for it."""
    reload = SitesReload(file, None)
    with changing(file) as changes:
        assert not await reload.refresh()
        compared = len(changes)
        assert compared > sites_reload.SETTLES_MAX
        assert await asyncio.gather(*(reload.refresh() for _ in range(9))) == [False] * 9
        assert len(changes) == compared
    assert list(reload.sites) == ["a", "b"]
    assert "its content changes all the time" in reload.warnings()[0]
    assert REGISTRY.get_sample_value(OK) == 0
    async with running(reload):
        await until(lambda: list(reload.sites) == [changes[-1]])
    assert (reload.warnings(), REGISTRY.get_sample_value(OK)) == ([], 1)


async def test_requests_that_wait_for_one_reading_do_not_read_again(file: Path) -> None:
    """Those that came while it was read are answered by that reading, also if it was refused or never settled."""
    reload = SitesReload(file, None)
    with changing(file) as changes:
        await asyncio.gather(*(reload.refresh() for _ in range(50)))
    assert len(changes) <= 50 + 4 * sites_reload.SETTLES_MAX


async def test_new_theme_without_its_folder_is_refused_by_every_service(file: Path) -> None:
    """All or nothing: services that render no page refuse it as render does; a theme in use is not looked for."""
    reload = SitesReload(file, None)
    folder = file.with_name("theme")
    file.write_text(one("a", more='theme = "theme"') + one("c"))
    assert not await reload.refresh()
    assert f"site a: theme {folder}: no such folder" in reload.warnings()[0]
    assert list(reload.sites) == ["a", "b"]
    folder.mkdir()
    os.utime(file)
    assert await reload.refresh()
    folder.rmdir()
    file.write_text(one("a", more='theme = "theme"') + one("d"))
    assert await reload.refresh()
    assert (list(reload.sites), reload.warnings()) == (["a", "d"], [])


@pytest.mark.parametrize("error", [SettingsError("a token is missing"), RuntimeError("unexpected")])
async def test_sites_that_the_service_refuses_are_not_used(file: Path, error: Exception) -> None:
    """What the service checks at its start is checked again, and any failure of it is a refusal."""

    def check(sites: Sites) -> None:
        if "c" in sites:
            raise error

    reload = SitesReload(file, None, check)
    file.write_text(one("c"))
    assert not await reload.refresh()
    assert str(error) in reload.warnings()[0]
    assert list(reload.sites) == ["a", "b"]


async def test_sites_that_a_part_cannot_take_over_are_not_used(file: Path) -> None:
    """If an observer fails, all parts have the former sites again, and the process goes on."""
    reload, seen = SitesReload(file, None), []

    def fail() -> None:
        seen.append(list(reload.sites))
        if "c" in reload.sites:
            raise RuntimeError("no memory")

    reload.sites.on_change(fail)
    file.write_text(one("c"))
    assert not await reload.refresh()
    assert "no memory" in reload.warnings()[0]
    assert seen == [["c"], ["a", "b"]]
    assert list(reload.sites) == ["a", "b"]


async def test_links_of_a_configmap_are_followed(tmp_path: Path) -> None:
    """Kubernetes swaps a link to a folder; the files below the mount keep their names."""
    mount = tmp_path / "mount"
    for version, text in (("..1", one("a")), ("..2", one("a") + one("b"))):
        (mount / version).mkdir(parents=True)
        (mount / version / "sites.toml").write_text(text)
    (mount / "..data").symlink_to("..1")
    (mount / "sites.toml").symlink_to("..data/sites.toml")
    reload = SitesReload(mount, None)
    assert list(reload.sites) == ["a"]
    (mount / "..new").symlink_to("..2")
    os.rename(mount / "..new", mount / "..data")  # noqa: PTH104 - as the kubelet does it
    assert await reload.refresh()
    assert list(reload.sites) == ["a", "b"]


async def test_folder_of_files_is_followed(tmp_path: Path) -> None:
    """A file that is added to the folder, renamed or removed is a change; one of another kind is not."""
    (tmp_path / "a.toml").write_text(one("a"))
    reload, stamp = SitesReload(tmp_path, None), config_stamp(tmp_path)
    (tmp_path / ".b.toml.swp").write_text("x")
    (tmp_path / "b.toml~").write_text("x")
    assert config_stamp(tmp_path) == stamp
    (tmp_path / "b.toml").write_text(one("b"))
    assert await reload.refresh()
    (tmp_path / "b.toml").rename(tmp_path / "0.toml")
    assert not [slug for slug in reload.sites if slug not in ("a", "b")]
    await reload.refresh()
    assert list(reload.sites) == ["b", "a"]
    (tmp_path / "a.toml").unlink()
    assert await reload.refresh()
    assert list(reload.sites) == ["b"]


async def test_unchanged_configuration_costs_a_comparison(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At rest nothing is read; requests that name unknown sites share a comparison."""
    monkeypatch.setattr(sites_reload, "LOOK_SECONDS_MIN", 0.2)
    reload, stamps = SitesReload(file, None), []
    monkeypatch.setattr(sites_reload, "config_stamp", lambda path: stamps.append(path) or config_stamp(path))
    monkeypatch.setattr(sites_reload, "read_sites", lambda *_: pytest.fail("it was read"))
    for number in (1, 2):
        assert await asyncio.gather(*(reload.refresh() for _ in range(1_000))) == [False] * 1_000
        assert len(stamps) == number


async def test_concurrent_refreshes_read_a_change_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many requests for a new site wait for the same reading, and all of them find it."""
    checks: list[int] = []
    reload = SitesReload(file, None, lambda sites: checks.append(len(sites)))
    file.write_text(one("c"))
    assert await asyncio.gather(*(reload.refresh() for _ in range(50))) == [True] * 50
    assert checks == [1]
