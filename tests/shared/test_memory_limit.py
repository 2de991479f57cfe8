"""The memory limit of the kernel, as both versions of cgroups show it."""

from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from shared import memory_limit
from shared.memory_limit import read_memory
from shared.metrics import MEMORY_LIMIT, MEMORY_USED

V2 = {"memory.max": "234881024", "memory.current": "200000000", "memory.stat": "anon 5\ninactive_file 50000000"}
V1 = {
    "memory.limit_in_bytes": "234881024",
    "memory.usage_in_bytes": "200000000",
    "memory.stat": "rss 5\ntotal_inactive_file 50000000",
}


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(memory_limit, "CGROUPS", tmp_path / "sys")
    monkeypatch.setattr(memory_limit, "OWN_GROUPS", tmp_path / "own")
    return tmp_path


def write(groups: Path, folder: str, files: dict[str, str], own: str) -> None:
    (groups / "sys" / folder).mkdir(parents=True)
    for name, content in files.items():
        (groups / "sys" / folder / name).write_text(content + "\n")
    (groups / "own").write_text(own)


@pytest.mark.parametrize(
    ("folder", "files", "own"),
    [
        ("system.slice/presstally.service", V2, "0::/system.slice/presstally.service\n"),
        ("", V2, "0::/\n"),
        ("", V2, "0::/docker/3f2a\n"),
        ("memory/docker/3f2a", V1, "4:cpu:/docker/3f2a\n3:memory:/docker/3f2a\n"),
        ("memory", V1, "3:memory:/docker/3f2a\n"),
    ],
)
def test_read_memory_of_a_unit_or_container_is_without_droppable_cache(
    groups: Path, folder: str, files: dict[str, str], own: str
) -> None:
    """The limit is found by the process's own path, or at the root as a container sees it."""
    write(groups, folder, files, own)
    assert read_memory() == (150_000_000, 234_881_024)


@pytest.mark.parametrize(
    ("files", "own"),
    [
        (V2 | {"memory.max": "max"}, "0::/\n"),
        (V1 | {"memory.limit_in_bytes": "9223372036854771712"}, "3:memory:/\n"),
        ({}, "0::/\n"),
        (V2 | {"memory.current": "?"}, "0::/\n"),
    ],
)
def test_read_memory_without_a_limit_is_nothing(groups: Path, files: dict[str, str], own: str) -> None:
    """No limit, no readable files: both numbers are 0."""
    write(groups, "memory" if "memory" in own else "", files, own)
    assert read_memory() == (0, 0)


def test_read_memory_without_cgroups_is_nothing(groups: Path) -> None:
    """Other systems have no such files."""
    assert read_memory() == (0, 0)


def test_memory_metrics_are_read_when_they_are_scraped(groups: Path) -> None:
    """Both gauges show the state of the moment."""
    names = [one.describe()[0].name for one in (MEMORY_LIMIT, MEMORY_USED)]
    assert list(map(REGISTRY.get_sample_value, names)) == [0, 0]
    write(groups, "", V2, "0::/\n")
    assert list(map(REGISTRY.get_sample_value, names)) == [234_881_024, 150_000_000]
