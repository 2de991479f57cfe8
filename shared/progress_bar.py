"""A progress bar for commands that work for minutes: on a terminal only, so that logs and pipes have none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHOWN_MIN = 1_000
"""Less is done before a bar could be read."""


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with the remaining time on stderr, and yield the function that adds to what is done.

    Args:
        what: What is done, such as "records".
        total: How many there are; fewer than SHOWN_MIN have no bar.
    """
    if total < SHOWN_MIN:
        yield lambda _: None
        return
    from rich.console import Console  # not at the start of each process of a service
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda done: progress.advance(bar, done)
