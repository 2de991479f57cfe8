"""Logs are one JSON object a line on standard error."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PROGRAM = """
import logging, sys
from shared.logs import configure_logs, log
configure_logs("stats", sys.argv[1])
log.debug("quiet")
log.info("role started", role="widget", port=8080)
log.warning("Tiếng Việt", reason="dòng\\nhai")
logging.getLogger("a.library").info("from a %s", "library", extra={"attempt": 3})
logging.getLogger("aiokafka").info("noise")
logging.getLogger("faststream").warning("noise")
try:
    1 / 0
except ZeroDivisionError as error:
    log.error("request failed", exc_info=error)
"""


def lines_of(level: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-c", PROGRAM, level]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_each_line_is_an_object_with_the_same_keys() -> None:
    """Time, level, logger, service and event are on each line, of Presstally and of libraries."""
    lines = lines_of("info")
    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("role started", "info", "presstally"),
        ("Tiếng Việt", "warning", "presstally"),
        ("from a library", "info", "a.library"),
        ("request failed", "error", "presstally"),
    ]
    assert all(line["service"] == "stats" and line["at"].endswith("Z") for line in lines)


def test_values_keep_their_types_and_characters() -> None:
    """Numbers stay numbers, a line break is escaped, and Vietnamese is readable."""
    started, warning, library, failed = lines_of("info")
    assert (started["role"], started["port"], library["attempt"]) == ("widget", 8080, 3)
    assert warning["reason"] == "dòng\nhai"
    assert "ZeroDivisionError: division by zero" in failed["exception"]


@pytest.mark.parametrize(("level", "count"), [("debug", 5), ("info", 4), ("warning", 2), ("error", 1), ("critical", 0)])
def test_level_decides_what_is_logged(level: str, count: int) -> None:
    """Lines below the level are dropped; noisy libraries have levels of their own."""
    lines = lines_of(level)
    assert len(lines) == count
    assert "noise" not in [line["event"] for line in lines]
