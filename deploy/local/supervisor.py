"""Keeps processes running, as Compose does: starts them in stages, restarts dead ones, stops them in reverse order.

The kernel signals each process when the supervisor dies (PR_SET_PDEATHSIG), so that none outlives it, even after
kill -9. Each process has its own session: the terminal's Ctrl-C reaches only the supervisor.

A full disk ends neither the supervisor nor, by itself, its processes: what cannot be written is reported, and written
once there is space.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from deploy.local.forked_services import ForkedService
from deploy.local.log_files import bound_log

POLL_SECONDS = 0.05
RUNNING_POLL_SECONDS = 0.25
"""Once everything runs: seldom enough to cost nothing, soon enough for a restart."""
RESTART_DELAY_SECONDS = (0.5, 5.0)
SETTLED_SECONDS = 10.0
FILE_CHECK_SECONDS = 1.0
PATIENCE_SECONDS = 20.0
"""After which a start says what it waits for."""
TAIL_LINES = 8
UNSAID_MAX = 200
"""Lines of progress that wait for space on the disk; beyond it the oldest are lost."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class StartFailed(Exception):  # noqa: N818 - describes the outcome
    """A process did not become ready; the message ends with its last log lines."""


class Stopped(Exception):  # noqa: N818 - not an error
    """A stop was requested."""


@dataclass
class ManagedProcess:
    """A program to keep running. `account` has further arguments of Popen, such as `user`."""

    name: str
    command: list[str]
    is_ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 12.0
    account: dict[str, Any] = field(default_factory=dict)
    niceness: int = 0
    """Above 0, the processor is for the others first."""
    waits_for_operator: Callable[[], bool] = lambda: False
    """Whether it is not ready until an operator decides: no time is long enough."""
    is_forked: bool = False
    """Whether it is a module of Python that shares the memory of the supervisor's packages."""
    process: subprocess.Popen[bytes] | ForkedService | None = None
    started_at: float = 0.0
    restart_at: float | None = None
    delay_seconds: float = RESTART_DELAY_SECONDS[0]


class Supervisor:
    """Runs processes. Use it from the main thread: PR_SET_PDEATHSIG is bound to the thread that starts a process."""

    def __init__(
        self, logs: Path, print_progress: Callable[[str], None], on_change: Callable[[Sequence[ManagedProcess]], None]
    ) -> None:
        self._logs = logs
        self._print_progress = print_progress
        self._on_change = on_change
        self._is_change_unwritten = False
        self._unsaid: list[str] = []
        self.parts: list[ManagedProcess] = []
        self._stop_requests = 0
        self._log_starts: dict[str, int] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def catch_signals(self) -> None:
        """Let SIGTERM, SIGINT and SIGHUP request a stop; a second signal forces it."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._request_stop)

    def _request_stop(self, *_: object) -> None:
        self._stop_requests += 1

    def start(self, parts: Sequence[ManagedProcess], timeout_seconds: float) -> None:
        """Start processes in parallel and wait until all are ready.

        Raises:
            StartFailed: one of them exited, or was not ready in time.
            Stopped: a stop was requested meanwhile.
        """
        waiting = self.begin(parts, timeout_seconds)
        if waiting:
            names = ", ".join(part.name for part in waiting)
            raise StartFailed(f"{names}: not ready after {timeout_seconds:g} s{self.tail(waiting[0].name)}")

    def begin(self, parts: Sequence[ManagedProcess], timeout_seconds: float) -> list[ManagedProcess]:
        """Start processes in parallel, and wait until each is ready or waits for an operator, or the time is over.

        Returns:
            Those that are not ready. They keep running.

        Raises:
            StartFailed: one of them exited.
            Stopped: a stop was requested meanwhile.
        """
        for part in parts:
            self.parts.append(part)
            self._spawn(part)
        begun, is_long_wait = time.monotonic(), False
        waiting = list(parts)
        while True:
            self._check_stop()
            for part in parts:
                if part.process is not None and part.process.poll() is not None:
                    raise StartFailed(f"{part.name} exited with code {part.process.returncode}{self.tail(part.name)}")
            waiting = [part for part in waiting if not part.is_ready()]
            seconds = time.monotonic() - begun
            if seconds > timeout_seconds or all(part.waits_for_operator() for part in waiting):
                return waiting
            if seconds > PATIENCE_SECONDS and not is_long_wait:
                is_long_wait = True
                self.say(f"{', '.join(part.name for part in waiting)}: not ready yet, waiting")
            time.sleep(POLL_SECONDS)

    def run_once(self, name: str, command: list[str], environment: dict[str, str], timeout_seconds: float) -> str:
        """Run a program to its end and return its standard output.

        Raises:
            StartFailed: it failed or took too long.
            Stopped: a stop was requested meanwhile.
        """
        with (
            (self._logs / f"{name}.log").open("ab") as errors,
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                preexec_fn=_die_with_parent(signal.SIGTERM),
            ) as process,
        ):
            self._log_starts[name] = errors.tell()
            deadline = time.monotonic() + timeout_seconds
            while process.poll() is None:
                if time.monotonic() > deadline or self._stop_requests:
                    process.kill()
                time.sleep(POLL_SECONDS)
            assert process.stdout is not None
            printed = process.stdout.read().decode("utf-8", "replace")
        self._check_stop()
        if process.returncode != 0:
            raise StartFailed(f"{name} exited with code {process.returncode}{self.tail(name)}")
        return printed

    def keep_running(self, every_second: Callable[[], None] = lambda: None) -> None:
        """Restart processes that exit and bound the log files, until a stop is requested.

        Args:
            every_second: Called about once a second.
        """
        files_checked_at = 0.0
        while not self._stop_requests:
            if time.monotonic() - files_checked_at > FILE_CHECK_SECONDS:
                files_checked_at = time.monotonic()
                self._bound_logs()
                self._print_unsaid()
                every_second()
                if self._is_change_unwritten:
                    self.report_change()
            for part in self.parts:
                self._restart_if_dead(part)
            time.sleep(RUNNING_POLL_SECONDS)

    def stop(self) -> None:
        """Stop all processes, the last started first."""
        self._stop_requests = min(self._stop_requests, 1)
        for part in reversed(self.parts):
            self._stop_part(part)
        self.parts.clear()

    def _check_stop(self) -> None:
        if self._stop_requests:
            raise Stopped

    def report_change(self) -> None:
        """Call `on_change`. If that fails, as on a full disk, it is called again every second until it succeeds."""
        try:
            self._on_change(self.parts)
        except OSError as error:
            if not self._is_change_unwritten:
                self.say(f"cannot write the state file: {error.strerror}; trying again every second")
            self._is_change_unwritten = True
        else:
            if self._is_change_unwritten:
                self.say("the state file is written again")
            self._is_change_unwritten = False

    def say(self, text: str) -> None:
        """Print progress; what cannot be printed, as on a full disk, is printed once there is space."""
        self._unsaid = [*self._unsaid, text][-UNSAID_MAX:]
        self._print_unsaid()

    def _print_unsaid(self) -> None:
        with contextlib.suppress(OSError):
            while self._unsaid:
                self._print_progress(self._unsaid[0])
                del self._unsaid[0]

    def _open_log(self, name: str) -> IO[bytes]:
        try:
            return (self._logs / f"{name}.log").open("ab")
        except OSError as error:
            self.say(f"{name} starts without a log: {error.strerror}")
            return Path(os.devnull).open("ab")

    def _spawn(self, part: ManagedProcess) -> None:
        with self._open_log(part.name) as output:
            self._log_starts[part.name] = output.tell()
            part.process = _begin(part, output)
        part.started_at = time.monotonic()
        part.restart_at = None
        self.report_change()

    def _bound_logs(self) -> None:
        for log in self._logs.glob("*.log"):
            try:
                if bound_log(log):
                    self._log_starts[log.stem] = 0
            except OSError as error:
                self.say(f"cannot keep the old part of {log.name}: {error.strerror}")

    def _restart_if_dead(self, part: ManagedProcess) -> None:
        now = time.monotonic()
        if part.restart_at is not None:
            if now >= part.restart_at:
                self._try_to_spawn(part)
        elif part.process is not None and part.process.poll() is not None:
            shortest, longest = RESTART_DELAY_SECONDS
            settled = now - part.started_at > SETTLED_SECONDS
            part.delay_seconds = shortest if settled else min(part.delay_seconds * 2, longest)
            part.restart_at = now + part.delay_seconds
            self.say(f"{part.name} exited with code {part.process.returncode}; restarting it")

    def _try_to_spawn(self, part: ManagedProcess) -> None:
        try:
            self._spawn(part)
        except OSError as error:  # such as too little memory
            part.restart_at = time.monotonic() + RESTART_DELAY_SECONDS[1]
            self.say(f"cannot start {part.name}: {error.strerror}; trying again")

    def _stop_part(self, part: ManagedProcess) -> None:
        process = part.process
        if process is None or process.poll() is not None:
            return
        process.send_signal(part.stop_signal)
        deadline = time.monotonic() + part.stop_seconds
        while process.poll() is None:
            if self._stop_requests > 1 or time.monotonic() > deadline:
                if self._stop_requests <= 1:
                    self.say(f"{part.name} did not stop within {part.stop_seconds:g} s; killing it")
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            time.sleep(POLL_SECONDS)

    def tail(self, name: str) -> str:
        """Return the last log lines of a process since its start, for an error message."""
        with (self._logs / f"{name}.log").open("rb") as log:
            log.seek(self._log_starts.get(name, 0))
            lines = log.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
        return "".join(f"\n    {line[:300]}" for line in lines)


def _begin(part: ManagedProcess, output: IO[bytes]) -> subprocess.Popen[bytes] | ForkedService:
    before = _die_with_parent(part.stop_signal, part.niceness)
    if part.is_forked:
        return ForkedService(part.command, part.environment, output, before)
    return subprocess.Popen(
        part.command,
        env=part.environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=before,
        **part.account,
    )


def _die_with_parent(number: signal.Signals, niceness: int = 0) -> Callable[[], None]:
    def ask_kernel() -> None:
        os.nice(niceness)
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)

    return ask_kernel
