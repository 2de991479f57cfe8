"""The memory limit that the kernel sets to this process and its neighbours in a container or unit (cgroups 1 and 2)."""

from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
UNLIMITED_BYTES = 2**60
"""Cgroups 1 have a number near the largest one in place of no limit."""


def read_memory() -> tuple[int, int]:
    """Return the bytes in use and the limit; (0, 0) without a limit, or where cgroups cannot be read.

    Page cache that the kernel can drop at once is not in use.
    """
    for folder, is_v2 in _folders():
        try:
            limit = (folder / ("memory.max" if is_v2 else "memory.limit_in_bytes")).read_text().strip()
            if limit == "max" or int(limit) >= UNLIMITED_BYTES:
                continue
            used = int((folder / ("memory.current" if is_v2 else "memory.usage_in_bytes")).read_text())
            name = "inactive_file" if is_v2 else "total_inactive_file"
            counters = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return max(0, used - int(counters.get(name, 0))), int(limit)
        except (OSError, ValueError):
            continue
    return 0, 0


def _folders() -> Iterator[tuple[Path, bool]]:
    """Yield the folders in which this process's limit may be, the nearest one first, and whether it is of cgroups 2.

    In a container, the root of what it sees is its own group.
    """
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield CGROUPS / path.lstrip("/"), True
            yield CGROUPS, True
        elif "memory" in controllers.split(","):
            yield CGROUPS / "memory" / path.lstrip("/"), False
            yield CGROUPS / "memory", False
