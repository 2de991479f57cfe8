"""Log files with a bound, also while a program writes to them.

Programs write to an open file and cannot be asked to open another. So a file that is too large is copied and then
emptied, like logrotate's `copytruncate`; they append (O_APPEND), and continue at its new end. What a program writes
between the copy and the cut, within microseconds, is lost.
"""

import os
import shutil
from pathlib import Path

LOG_BYTES_MAX = 10 * 1024 * 1024
"""Of a log file; there is at most one older file of the same size."""


def bound_log(log: Path, bytes_max: int = LOG_BYTES_MAX) -> bool:
    """Move the content of a log file that is too large to NAME.log.old; return whether it was.

    Raises:
        OSError: there is no room for the copy; then the file was emptied without one, because a full disk is worse.
    """
    try:
        size = log.stat().st_size
    except FileNotFoundError:
        return False
    if size <= bytes_max:
        return False
    try:
        _copy_tail(log, log.with_suffix(".log.old"), size, bytes_max)
    finally:
        os.truncate(log, 0)
    return True


def _copy_tail(log: Path, older: Path, size: int, bytes_max: int) -> None:
    """Copy the end of a file, the newest bytes: a burst may have made it larger than two files may be."""
    unfinished = older.with_suffix(".unfinished")
    try:
        with log.open("rb") as source, unfinished.open("wb") as target:
            os.fchmod(target.fileno(), 0o600)
            source.seek(max(0, size - bytes_max))
            shutil.copyfileobj(source, target)
        unfinished.replace(older)
    finally:
        unfinished.unlink(missing_ok=True)
