"""Structured logs: one JSON object a line on standard error, for Presstally's lines and the libraries' alike."""

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

QUIET = {
    "aiokafka": logging.WARNING,
    "faststream": logging.ERROR,
    "granian": logging.WARNING,
    "asyncio": logging.WARNING,
    "opentelemetry": logging.ERROR,
}


def _default_logger_name(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *common[:3],
                structlog.stdlib.ExtraAdder(),
                structlog.stdlib.add_logger_name,
                *common[3:],
            ],
            processors=[
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
