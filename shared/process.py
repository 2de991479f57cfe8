"""Run a service: its roles, one HTTP port, and a graceful stop.

A role is an async context manager that yields a `Role`: the code before its `yield` starts it, the code after stops it.
The HTTP port opens first, so that `/livez` responds while a role still waits for Postgres or Kafka. Roles start
concurrently and serve as soon as they are up, so that none waits for another.

SIGTERM or SIGINT: readiness turns off, connections close after their next response, open requests are answered, the
roles commit and stop, all within STOP_SECONDS.
A background task that fails, or an impossible state, stops the process with exit code 1: the supervisor restarts it
from what was committed.
"""

import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack

import uvloop

from shared import __version__
from shared.core_dumps import forbid_core_dumps
from shared.http.app import HttpApp, http_server
from shared.http.direct import ServerLoop
from shared.late_imports import late
from shared.logs import configure_logs, flush_logs, log
from shared.metrics import BUILD_INFO
from shared.process_metrics import collect_garbage, sample_process
from shared.role import LazyRole, Process, RoleFactory
from shared.settings import Settings
from shared.sites import Sites
from shared.sites_reload import no_check

STOP_SECONDS = 9.0
"""Bound on a graceful stop; supervisors wait 10 seconds or more before they kill."""
DRAIN_SECONDS = 0.5
"""How long a stopping process still serves and closes each connection after its response (shared/http/draining.py).

Longer than the gateway keeps an idle connection, so that none is left when the server closes the rest."""
FORCE_EXIT_SECONDS = 1.0
"""For tasks of libraries that still run when all roles have stopped."""

SWITCH_SECONDS = 0.001
"""After which a thread with work of its own lets the event loop run; a request needs several turns."""
GC_THRESHOLD = 50_000
"""Requests and batches make many objects that are freed together and are in no cycle: a search for cycles after every
700 takes a tenth of the time."""
_report_broken_connections = late("shared.kafka.broken_connections", "report_broken_connections")


def run_service(
    service: str,
    roles: Mapping[str, RoleFactory],
    settings: Settings,
    wanted: Sequence[str] = (),
    check_sites: Callable[[Sites], None] = no_check,
) -> int:
    """Run a service until SIGTERM or SIGINT, and return the process's exit code.

    Args:
        service: The service's name, for logs and metrics.
        roles: All its roles by name.
        settings: Passed to each role.
        wanted: Names of the roles to run; empty: all.
        check_sites: See `SitesReload`.
    """
    configure_logs(service, settings.log_level)
    raise_open_files_limit()
    forbid_core_dumps()
    chosen = {name: roles[name] for name in wanted or roles}
    for factory in chosen.values():
        if isinstance(factory, LazyRole):
            factory.load()  # before the heap is frozen
    if "aiokafka" in sys.modules:  # a role without Kafka does without its 10 MB
        _report_broken_connections()
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)
    BUILD_INFO.labels(__version__, settings.revision, service).set(1)
    return uvloop.run(_run(chosen, settings, Process(check_sites)), loop_factory=ServerLoop)


def raise_open_files_limit() -> int:
    """Raise the limit of open files (and connections) to the hard limit, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


async def _run(roles: Mapping[str, RoleFactory], settings: Settings, process: Process) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.stop.set)
    http_app = HttpApp(settings.trusted_proxies, process)
    http_app.starting = list(roles)
    server = http_server(http_app, settings.http_host, settings.http_port)
    serving = process.spawn(server.serve(), "http")
    stack = AsyncExitStack()
    chores = [
        process.spawn(sample_process(), "sample the process"),
        process.spawn(collect_garbage(), "collect garbage"),
    ]
    starting = process.spawn(_start_roles(stack, http_app, roles, settings, process), "start")

    await process.stop.wait()
    http_app.draining = True
    for chore in chores:
        chore.cancel()
    log.info("stopping")
    try:
        async with asyncio.timeout(STOP_SECONDS):
            starting.cancel()
            await asyncio.wait([starting])
            await asyncio.sleep(DRAIN_SECONDS)
            server.stop()  # type: ignore[no-untyped-call]
            await asyncio.wait([serving])
            await stack.aclose()
    except TimeoutError:
        log.error("stop took too long; exiting now, nothing committed is lost", bound_seconds=STOP_SECONDS)
        flush_logs()
        os._exit(1)
    log.info("stopped")
    code = 1 if process.failure else 0
    loop.call_later(FORCE_EXIT_SECONDS, _force_exit, code)
    return code


def _force_exit(code: int) -> None:
    """End the process although a task of a library ignores its cancellation: all roles have stopped."""
    remaining = sorted(repr(task.get_coro()) for task in asyncio.all_tasks())
    log.warning("exiting although some tasks did not end", tasks=remaining)
    flush_logs()
    os._exit(code)


async def _start_roles(
    stack: AsyncExitStack,
    http_app: HttpApp,
    roles: Mapping[str, RoleFactory],
    settings: Settings,
    process: Process,
) -> None:
    async def start_role(start: RoleFactory) -> None:
        role = await stack.enter_async_context(start(settings, process))
        http_app.open(role)
        log.info("role started", role=role.name, port=settings.http_port)

    await asyncio.gather(*(start_role(start) for start in roles.values()))
