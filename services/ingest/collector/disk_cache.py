"""A small JSON file next to the spool, for when Postgres is unavailable."""

import asyncio
import contextlib
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from shared.logs import log

ABANDONED_SECONDS = 60.0
"""A file that is being written for so long was left by a process that was killed."""


class DiskCache:
    """A file that only this account may read. A failed write leaves the former content, and is tried again.

    Collectors of a host share it. Those in containers may have the same process id.

    Args:
        file: Its folder exists.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._written: Any = None
        self._failed = False

    def read(self) -> Any:
        """Return the content; None if there is no readable file. Blocks."""
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("cannot read a file; waiting for Postgres", file=self._file.name, reason=repr(error))
            return None
        self._written = content
        return content

    async def write(self, content: Any) -> None:
        """Replace the content, if it is another one. Never raises for a disk that is full or not writable."""
        if content == self._written:
            return
        try:
            await asyncio.to_thread(self._replace, content)
        except OSError as error:
            if not self._failed:
                log.warning("cannot write a file; trying again", file=self._file.name, reason=repr(error))
            self._failed = True
        else:
            self._written, self._failed = content, False

    def _replace(self, content: Any) -> None:
        for abandoned in self._file.parent.glob(f"{self._file.stem}.*.tmp"):
            with contextlib.suppress(OSError):
                if abandoned.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                    abandoned.unlink()
        temporary = self._file.with_suffix(f".{secrets.token_hex(8)}.tmp")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as output:
                json.dump(content, output)
            temporary.replace(self._file)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
