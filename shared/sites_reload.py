"""Takes over changes of the sites' configuration while a process runs: the whole of it, or nothing.

The files' dates, sizes and inodes are compared every few seconds: that also notices editors that write a new file and
rename it, and the links of a Kubernetes ConfigMap, and works on every file system. A change is read once the files have
had the same content for SETTLE_SECONDS: half of a file may be valid, too. What a service would refuse at its start is
refused here, and so is a new theme without its folder, by every service alike: the former configuration stays, with a
log message, a warning in `/readyz` and a metric. Files whose content never stays the same are reported in the same way.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from shared.logs import log
from shared.metrics import SITES_RELOAD_SUCCESS, SITES_RELOAD_SUCCESSFUL
from shared.settings import SettingsError
from shared.sites import Sites, SitesError
from shared.sites_file import BYTES_MAX, check_theme_folders, config_files, is_config_file, read_sites

POLL_SECONDS = 2.0
SETTLE_SECONDS = 1.0
SETTLES_MAX = 30
"""Files whose content changes so many times in a row are reported."""
LOOK_SECONDS_MIN = 0.1
"""Between two comparisons that requests ask for: a flood of unknown sites costs no more."""

_Stamp = tuple[tuple[Any, ...], ...]


def no_check(sites: Sites) -> None:
    """Accept all sites."""


class SitesReload:
    """The sites of a process, and their configuration.

    Args:
        path: A file or a folder.
        public_url: See `read_sites`.
        check: Raises SitesError or SettingsError for sites that the service could not start with. It runs in a thread.

    Raises:
        SitesError: the configuration is invalid.
    """

    def __init__(self, path: Path, public_url: str | None, check: Callable[[Sites], None] = no_check) -> None:
        self._path = path
        self._public_url = public_url
        self._check = check
        self._stamp: _Stamp | None = config_stamp(path)
        self._compared_at = float("-inf")
        self._reading = asyncio.Lock()
        self._is_unsettled = False
        """The content changes all the time: no request waits for the end of that."""
        self.sites = read_sites(path, public_url)
        self.sites.refresh = self.refresh
        self.problem: str | None = None
        """Why the configuration on disk is not in use; None if it is."""
        self._changes = 0
        self._report(None)

    def warnings(self) -> list[str]:
        """Return why the configuration on disk is not in use, for `/readyz`."""
        return (
            [f"the sites' configuration was refused, the former one is in use: {self.problem}"] if self.problem else []
        )

    def configuration(self) -> dict[str, Any]:
        """Return the sites in use and the problem, as JSON, for `presstally sites check`."""
        return {"sites": [msgspec.to_builtins(site) for site in self.sites.declared.values()], "problem": self.problem}

    async def run(self) -> None:
        """Take over changes until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._compare()

    async def refresh(self) -> bool:
        """Take over the configuration if it has changed; return whether the sites are others now.

        Also called before something is refused because no site declares it: processes notice a change at different
        moments. It does not wait for files that are known to change all the time.
        """
        changes = self._changes
        if not self._is_unsettled:
            await self._compare()
        return self._changes != changes

    async def _compare(self) -> None:
        """Read the configuration if its files are others than those that were read last."""
        arrived = time.monotonic()
        await asyncio.sleep(max(0.0, self._compared_at + LOOK_SECONDS_MIN - arrived))
        if self._compared_at >= arrived:  # somebody else has compared since
            return
        if config_stamp(self._path) == self._stamp:
            self._compared_at = time.monotonic()
            return
        async with self._reading:
            if self._compared_at < arrived:
                await self._read_when_settled()
                self._compared_at = time.monotonic()

    async def _read_when_settled(self) -> None:
        for _ in range(SETTLES_MAX):
            stamp = config_stamp(self._path)
            if stamp == self._stamp:
                return
            content = await asyncio.to_thread(config_digest, self._path)
            await asyncio.sleep(SETTLE_SECONDS)
            if await self._unchanged(stamp, content) is None:
                continue
            try:
                new = await asyncio.to_thread(self._read)
            except (SitesError, SettingsError) as error:
                problem: str | None = str(error)
            except Exception as error:  # noqa: BLE001 - the former sites are in use, whatever is wrong with the new ones
                problem = repr(error)
            else:
                problem = None
            newest = await self._unchanged(stamp, content)
            if newest is None:
                continue  # half of another one may have been read, and the reason may be gone with it
            if problem is None:
                problem = self._take_over(new)
            self._stamp, self._is_unsettled = newest, False
            self._report(problem)
            return
        self._stamp, self._is_unsettled = None, True  # of no configuration: it is read as soon as it stays the same
        self._report(
            f"{self._path}: its content changes all the time; it is read once it stays the same for"
            f" {SETTLE_SECONDS:g} s"
        )

    async def _unchanged(self, stamp: _Stamp, content: str | None) -> _Stamp | None:
        """Return the present stamp of files that have the same content still, however often they were written; or None.

        Args:
            stamp: The former one.
            content: The digest of the content at that time; None if there was none.
        """
        present = config_stamp(self._path)
        if present == stamp:
            return present
        is_same = content is not None and await asyncio.to_thread(config_digest, self._path) == content
        return present if is_same else None

    def _read(self) -> Sites:
        new = read_sites(self._path, self._public_url)
        check_theme_folders(new, {site.theme for site in self.sites.declared.values()})
        self._check(new)
        return new

    def _take_over(self, new: Sites) -> str | None:
        """Use the sites from now on; return why that failed."""
        before = dict(self.sites.declared)
        if list(before.items()) == list(new.declared.items()):
            return None
        new.changed_at = time.time()
        try:
            self.sites.replace(new)
        except Exception as error:  # noqa: BLE001 - the former sites are in use again
            log.error("taking over the sites' configuration failed", exc_info=error)
            return repr(error)
        self._changes += 1
        changes = {name: slugs for name, slugs in changed_sites(before, dict(self.sites.declared)).items() if slugs}
        log.info("the sites' configuration was taken over", **changes)
        return None

    def _report(self, problem: str | None) -> None:
        if problem is not None and problem != self.problem:
            log.error("the sites' configuration was refused; the former one stays in use", reason=problem)
        self.problem = problem
        SITES_RELOAD_SUCCESSFUL.set(problem is None)
        if problem is None:
            SITES_RELOAD_SUCCESS.set(time.time())


def changed_sites(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[str]]:
    """Return the slugs of the sites that were added, removed and changed."""
    return {
        "added": [slug for slug in after if slug not in before],
        "removed": [slug for slug in before if slug not in after],
        "changed": [slug for slug in after if slug in before and after[slug] != before[slug]],
    }


def config_stamp(path: Path) -> _Stamp:
    """Return what changes when a configuration changes; that it cannot be read is such a change, too."""
    try:
        with os.scandir(path) as entries:
            return tuple(sorted(_file_stamp(one.name, one.path) for one in entries if is_config_file(one.name)))
    except OSError:  # it is a file, or missing
        return (_file_stamp(path.name, path),)


def config_digest(path: Path) -> str | None:
    """Return a digest of the content of a configuration, or None if it cannot be read or is too large to be one."""
    digest = hashlib.sha256()
    try:
        for file in config_files(path):
            if not file.is_file() or (size := file.stat().st_size) > BYTES_MAX:
                return None
            digest.update(f"{file.name}\0{size}\0".encode(errors="surrogateescape"))
            with file.open("rb") as content:
                digest.update(content.read(BYTES_MAX + 1))
    except (OSError, SitesError):
        return None
    return digest.hexdigest()


def _file_stamp(name: str, file: str | Path) -> tuple[Any, ...]:
    try:
        found = os.stat(file)  # noqa: PTH116 - a Path for each file would cost more than all the rest
    except OSError as error:
        return name, -1, error.errno
    return name, found.st_ino, found.st_dev, found.st_size, found.st_mtime_ns, found.st_ctime_ns
