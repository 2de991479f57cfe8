"""Structured logs: one JSON object a line on standard error, for Presstally's lines and the libraries' alike.

What repeats is folded: while Kafka is unavailable its client reports the same failure many times a second. The first
lines of a kind are written at once, the others are counted, and one line a minute has their number.
"""

import atexit
import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from shared.lean_imports import structlog

QUIET = {
    "aiokafka": logging.WARNING,
    "faststream": logging.ERROR,
    "granian": logging.WARNING,
    "asyncio": logging.WARNING,
    "opentelemetry": logging.ERROR,
}


FOLD_SECONDS = 60.0
REPEATED_LIBRARY_LINES_MAX = 1
"""Lines of a kind from a library within FOLD_SECONDS."""
LIBRARY_LINES_MAX = 30
"""Lines of all kinds from a library's logger: some put numbers into their messages, so that each is of its own kind."""
OWN_LINES_MAX = 20
"""Lines of a kind of Presstally's own. They have more to say: each may name another item."""
KINDS_MAX = 1_000
"""Kinds that are remembered; above it the oldest are forgotten, and written again."""

_Kind = tuple[str, int, str | None]
"""Logger, level, and message before its arguments are inserted; None for all messages of a library's logger."""


@dataclass
class _Fold:
    """Lines of a kind since the first of them."""

    begun_at: float
    written: int = 0
    folded: int = 0
    last: logging.LogRecord | None = None


class FoldingHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes a few lines of a kind within FOLD_SECONDS, and then one with the number of the others.

    Args:
        clock: Returns monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(sys.stderr)
        self._clock = clock
        self._folds: dict[_Kind, _Fold] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it."""
        for kind, lines_max in _kinds_with_limits(record):
            fold = self._folds.get(kind)
            if fold is not None and self._clock() - fold.begun_at >= FOLD_SECONDS:
                self._end(kind)
                fold = None
            if fold is None:
                if len(self._folds) >= KINDS_MAX:
                    self._end(next(iter(self._folds)))
                fold = self._folds[kind] = _Fold(self._clock())
            if fold.written >= lines_max:
                fold.folded += 1
                record.exc_info = None  # it was written with the first lines, and keeps whole frames in memory
                fold.last = record
                return
            fold.written += 1
        super().emit(record)

    def report_folded(self, *, everything: bool = False) -> None:
        """Write the numbers of folded lines whose time is over, or of all."""
        with self.lock or threading.RLock():
            now = self._clock()
            for kind in [key for key, fold in self._folds.items() if everything or now - fold.begun_at >= FOLD_SECONDS]:
                self._end(kind)

    def _end(self, kind: _Kind) -> None:
        fold = self._folds.pop(kind)
        if fold.last is not None:
            fold.last.repeated = fold.folded  # _add_repeated reads it
            super().emit(fold.last)


def _kinds_with_limits(record: logging.LogRecord) -> tuple[tuple[_Kind, int], ...]:
    if isinstance(record.msg, dict):  # structlog's, so Presstally's
        return (((record.name, record.levelno, str(record.msg.get("event"))), OWN_LINES_MAX),)
    return (
        ((record.name, record.levelno, str(record.msg)), REPEATED_LIBRARY_LINES_MAX),
        ((record.name, record.levelno, None), LIBRARY_LINES_MAX),
    )


def flush_logs() -> None:
    """Write the numbers of all folded lines, before the process ends; its end does not fail on a full disk."""
    with contextlib.suppress(OSError):
        for handler in logging.getLogger().handlers:
            if isinstance(handler, FoldingHandler):
                handler.report_folded(everything=True)
        sys.stderr.flush()


def _add_repeated(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    repeated = getattr(event.get("_record"), "repeated", None)
    if repeated is not None:
        event["repeated"] = repeated
    return event


def _report_folded_regularly(handler: FoldingHandler) -> None:
    """Report what was folded although nothing more is logged."""

    def run() -> None:
        while True:
            time.sleep(FOLD_SECONDS / 4)
            handler.report_folded()

    threading.Thread(target=run, name="folded log lines", daemon=True).start()


def _default_logger_name(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.setdefault("logger", "presstally")
    return event


def configure_logs(service: str, level: str) -> None:
    """Send every log line of this process, the libraries' too, to standard error as JSON."""
    common: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        _default_logger_name,
    ]
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = FoldingHandler()
    atexit.register(flush_logs)
    _report_folded_regularly(handler)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *common[:3],
                structlog.stdlib.ExtraAdder(),
                structlog.stdlib.add_logger_name,
                *common[3:],
            ],
            processors=[
                _add_repeated,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name, quiet_level in QUIET.items():
        logging.getLogger(name).setLevel(quiet_level)
    structlog.contextvars.bind_contextvars(service=service)


log: structlog.stdlib.BoundLogger = structlog.get_logger()
