"""Memory limits of the kernel (cgroups, version 1 or 2) for the processes of a soak: those of the small server.

A process that takes more is killed by the kernel, with its page cache counted as in a container. This needs root.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from tests.conftest import ROOT

CGROUPS = Path("/sys/fs/cgroup")
SMALL = ROOT / "deploy/compose/small.yml"
COMMAND = "command"
COUNTERS = 8
"""Counters of fault tests that have a limit each."""
HEAD = "| process | limit | peak | anonymous at the end | killed |\n| --- | --- | --- | --- | --- |"
JOIN = 'echo $$ > "$0" && exec "$@"'


class NoCgroupsError(Exception):
    """This machine does not let this account limit memory; the message says why."""


def small_limits() -> dict[str, int]:
    """Return the limit of each service of the small server in bytes."""
    services = yaml.safe_load(SMALL.read_text(encoding="utf-8"))["services"]
    found = {name: re.fullmatch(r"(\d+)m", service["mem_limit"]) for name, service in services.items()}
    return {name: int(match[1]) * 1024**2 for name, match in found.items() if match}


def small_settings() -> dict[str, dict[str, str]]:
    """Return the settings of Presstally that the small server gives to each service."""
    services = yaml.safe_load(SMALL.read_text(encoding="utf-8"))["services"]
    given = {name: service.get("environment", {}) for name, service in services.items()}
    return {
        name: {setting: value for setting, value in one.items() if setting.startswith("PRESSTALLY_")}
        for name, one in given.items()
    }


def limits_of_processes() -> dict[str, int]:
    """Return the limits of a soak's processes; a command has that of the container in which it is run."""
    services = small_limits()
    names = ("kafka", "postgres", "ingest", "articles", "stats", "render", "gateway")
    return {name: services[name] for name in names} | {COMMAND: services["stats"]}


def limits_of_counters() -> dict[str, int]:
    """Return the limits of fault tests: Kafka, Postgres, and each counter as the container of stats."""
    services = small_limits()
    names = (*(counter_name(number) for number in range(COUNTERS)), "widget", COMMAND)
    return {name: services[name] for name in ("kafka", "postgres")} | dict.fromkeys(names, services["stats"])


def counter_name(number: int) -> str:
    """Return the name of the limit of the counter that was started as this one; long after, another one has it."""
    return f"counter-{number % COUNTERS}"


class Limits:
    """A cgroup for each process.

    Args:
        name: Of the parent; it must be unique on the machine.
        limits: In bytes by process.

    Raises:
        NoCgroupsError: they cannot be made.
    """

    def __init__(self, name: str, limits: Mapping[str, int]) -> None:
        self._is_v2 = (CGROUPS / "cgroup.controllers").exists()
        parent = CGROUPS / name if self._is_v2 else CGROUPS / "memory" / name
        self._parent = parent
        self._limits = limits
        try:
            parent.mkdir()
            if self._is_v2:
                (CGROUPS / "cgroup.subtree_control").write_text("+memory")
                (parent / "cgroup.subtree_control").write_text("+memory")
            for process, limit in limits.items():
                (parent / process).mkdir()
                file = "memory.max" if self._is_v2 else "memory.limit_in_bytes"
                (parent / process / file).write_text(str(limit))
                joins = parent / process / "cgroup.procs"
                if joins.exists():  # not in a folder that only looks like one
                    joins.chmod(0o666)  # Postgres has an account of its own
        except OSError as error:
            self.remove()
            raise NoCgroupsError(f"memory cannot be limited here: {error}") from error

    def command(self, process: str, command: Sequence[str]) -> list[str]:
        """Return a command line that runs a program within the limit of a process from its first byte on."""
        joins = self._parent / process / "cgroup.procs"
        return ["/bin/sh", "-c", JOIN, str(joins), *command]

    def report(self) -> list[str]:
        """Return a line for each process: its peak, its limit, and how often the limit was met or ended it."""
        lines = []
        for process, limit in self._limits.items():
            folder = self._parent / process
            peak = self._read(folder, "memory.peak" if self._is_v2 else "memory.max_usage_in_bytes")
            killed = _counter(folder / ("memory.events" if self._is_v2 else "memory.oom_control"), "oom_kill")
            anonymous = _counter(folder / "memory.stat", "anon" if self._is_v2 else "rss")
            lines.append(f"| {process} | {limit >> 20} MB | {peak >> 20} MB | {anonymous >> 20} MB | {killed} |")
        return lines

    def killed(self) -> dict[str, int]:
        """Return how many processes the kernel has ended for their memory, for those with any."""
        name = "memory.events" if self._is_v2 else "memory.oom_control"
        found = {one: _counter(self._parent / one / name, "oom_kill") for one in self._limits}
        return {one: count for one, count in found.items() if count}

    @staticmethod
    def _read(folder: Path, file: str) -> int:
        try:
            return int((folder / file).read_text())
        except OSError:
            return 0

    def remove(self) -> None:
        """Remove the cgroups; their processes have exited."""
        for folder in [*(self._parent / one for one in self._limits), self._parent]:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                print(f"{folder}: {error}", file=sys.stderr)


def _counter(file: Path, name: str) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.split()[0] == name), 0)
