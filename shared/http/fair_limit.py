"""Limits on what is done at once, shared fairly among callers.

In one queue for everybody, a caller with many requests makes all others wait behind them. Here each caller has a queue
of its own, and the callers take turns: a request waits for at most one turn of each other caller.
"""

import asyncio
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import NoReturn

from shared.http.problems import Problem

CALLER: ContextVar[str] = ContextVar("caller", default="")
"""Whose request this is: the address prefix of a client (`HttpApp` sets it), or a token once that is known."""
RETRY_AFTER = {"retry-after": "2"}


class FairLimit:
    """A limit of running calls. Further calls wait; those of one caller wait for each other, not for all.

    Args:
        what: What is limited, for the message: "reads of articles".
        running_max: Concurrent calls.
        running_of_caller_max: Concurrent calls of one caller: the others find free turns although its calls are slow.
        in_progress_max: Running and waiting calls.
        of_caller_max: Running and waiting calls of one caller.
        wait_seconds_max: Longest wait for a turn; None: no limit.
        headers: Of the refusals, in addition to Retry-After.
    """

    def __init__(
        self,
        what: str,
        *,
        running_max: int,
        running_of_caller_max: int = sys.maxsize,
        in_progress_max: int = sys.maxsize,
        of_caller_max: int = sys.maxsize,
        wait_seconds_max: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._what = what
        self._running_max = running_max
        self._running_of_caller_max = running_of_caller_max
        self._in_progress_max = in_progress_max
        self._of_caller_max = of_caller_max
        self._wait_seconds_max = wait_seconds_max
        self._headers = {**RETRY_AFTER, **(headers or {})}
        self._running: Counter[str] = Counter()
        self._in_progress: Counter[str] = Counter()
        self._turns: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """The callers that wait, the next one first, each with its waiting calls."""

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Wait for a turn of the current caller (`CALLER`), and keep it while the context is open.

        Raises:
            Problem: 429 if the caller has too many calls in progress, 503 if all callers together have, or if the turn
                does not come in time.
        """
        caller = CALLER.get()
        if self._in_progress[caller] >= self._of_caller_max:
            self._refuse(429, f"Too many {self._what} of yours are in progress; wait for their responses.")
        if self._in_progress.total() >= self._in_progress_max:
            self._refuse(503, f"Too many {self._what} are in progress; retry later.")
        self._in_progress[caller] += 1
        try:
            await self._acquire(caller)
            try:
                yield
            finally:
                self._release(caller)
        finally:
            self._in_progress[caller] -= 1
            if not self._in_progress[caller]:
                del self._in_progress[caller]

    def _refuse(self, status: int, detail: str) -> NoReturn:
        raise Problem(status, detail, headers=self._headers)

    async def _acquire(self, caller: str) -> None:
        if self._may_run(caller):
            self._running[caller] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._turns.setdefault(caller, deque()).append(turn)
        try:
            async with asyncio.timeout(self._wait_seconds_max):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came at the moment of the cancellation
                self._release(caller)
            elif turn in (queue := self._turns.get(caller, deque())):
                queue.remove(turn)
                if not queue:
                    del self._turns[caller]
            if isinstance(error, TimeoutError):
                self._refuse(503, f"Too many {self._what} are in progress; retry later.")
            raise

    def _may_run(self, caller: str) -> bool:
        return self._running.total() < self._running_max and self._running[caller] < self._running_of_caller_max

    def _release(self, caller: str) -> None:
        """End a call of a caller, and give its turn to the one that has waited for longest, of those that may run."""
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
        for waiting in list(self._turns):
            if self._may_run(waiting) and self._give_turn(waiting):
                return

    def _give_turn(self, caller: str) -> bool:
        """Let the next call of a waiting caller run; the caller waits at the end again if it has more calls."""
        queue = self._turns.pop(caller)
        turn = queue.popleft()
        if queue:
            self._turns[caller] = queue
        if turn.done():  # it was cancelled, and removes itself no more
            return False
        self._running[caller] += 1
        turn.set_result(None)
        return True
