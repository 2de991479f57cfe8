"""A large file as bytes that are never in memory as a whole.

A mapped file is read by the page, but what was read stays in the resident memory of the process until the system needs
it. An export of 1 GB would look like a process of 1 GB, and a container could be stopped for it.
"""

import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RELEASE_SECONDS = 0.05
"""How often the pages that were read are released; reading one again takes it from the cache of the system."""


@contextmanager
def open_mapped(path: Path) -> Iterator[mmap.mmap]:
    """Yield the content of a file that is not empty.

    Raises:
        OSError: it cannot be read.
    """
    ended = threading.Event()
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:

        def release() -> None:
            while not ended.wait(RELEASE_SECONDS):
                mapped.madvise(mmap.MADV_DONTNEED)

        thread = threading.Thread(target=release, name="mapped-file", daemon=True)
        thread.start()
        try:
            yield mapped
        finally:
            ended.set()
            thread.join()
