"""Services as forks of the supervisor, so that they share the memory of the packages that all of them use.

A fork imports the code of Presstally itself afresh, so a service that is restarted after an update runs the new code.
The supervisor has one thread when it forks, as it must.
"""

import gc
import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

import setproctitle

SHARED_PACKAGES = (
    "aiokafka",
    "asyncpg",
    "babel.dates",
    "cramjam",
    "faststream.kafka",
    "granian.server.embed",
    "jinja2",
    "msgspec",
    "obstore",
    "opentelemetry.trace",
    "prometheus_client",
    "pydantic_settings",
    "python_multipart",
    "stamina",
    "starlette.applications",
    "structlog",
    "uvloop",
)
"""What nearly all services import; none of it starts a thread or opens a file that a fork would share."""
OWN_PACKAGES = ("shared", "services", "deploy")
FIRST_OWN_FILE = 3
"""Files from this descriptor on are the supervisor's: its lock must end with it."""


def import_shared_packages() -> None:
    """Import what the services share, and keep the garbage collector from writing to it."""
    for name in SHARED_PACKAGES:
        importlib.import_module(name)
    setproctitle.setproctitle(setproctitle.getproctitle())  # which reserves its place now
    gc.collect()
    gc.freeze()


class ForkedService:
    """A module that runs as `__main__` in a fork. It has the part of `subprocess.Popen` that the supervisor uses.

    Args:
        command: The command line of which it is the equal: Python, `-m`, the module and its arguments.
        environment: All of its environment.
        output: Takes its standard output and standard error.
        before: Called in the fork before anything else, such as to ask the kernel for a signal.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], output: IO[bytes], before: Callable[[], None]
    ) -> None:
        self._command = list(command)
        context = multiprocessing.get_context("fork")
        self._process: BaseProcess = context.Process(target=_run, args=(command, environment, output, before))
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return the exit code.

        Raises:
            subprocess.TimeoutExpired: it has not ended within these seconds.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self._command, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)


def _run(command: Sequence[str], environment: Mapping[str, str], output: IO[bytes], before: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    before()
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    os.closerange(FIRST_OWN_FILE, os.sysconf("SC_OPEN_MAX"))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr] # they are those of the interpreter
    os.environ.clear()
    os.environ.update(environment)
    for name in [name for name in sys.modules if name.split(".")[0] in OWN_PACKAGES]:
        del sys.modules[name]
    _, _, module, *arguments = command
    setproctitle.setproctitle(" ".join(command))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
