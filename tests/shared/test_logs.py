"""Logs are one JSON object a line on standard error."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.logs import FOLD_SECONDS, KINDS_MAX, FoldingHandler

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


FLOOD = """
import logging
from shared import logs
logs.configure_logs("stats", "info")
for number in range(1_000):
    logging.getLogger("aiokafka.conn").error("Unable connect to node with id %s: %s", number, "Connect call failed")
for number in range(1_000):
    logging.getLogger("another.library").warning(f"attempt {number} failed")
for number in range(100):
    logs.log.warning("cannot reach Postgres", attempt=number)
"""


def test_repeated_lines_are_folded_into_one_with_their_number() -> None:
    """A flood of a library's lines is one line and a number; Presstally's own first ones are written; none is lost."""
    done = subprocess.run([sys.executable, "-c", FLOOD], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    written = {
        logger: [line for line in lines if line["logger"] == logger] for logger in {one["logger"] for one in lines}
    }
    assert [line.get("repeated") for line in written["aiokafka.conn"]] == [None, 999]
    assert [line.get("repeated") for line in written["another.library"]] == [None] * 30 + [970]
    assert [line.get("repeated") for line in written["presstally"]] == [None] * 20 + [80]
    assert written["presstally"][-1]["attempt"] == 99


def test_folded_lines_are_reported_when_their_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    """After a minute, the number is reported although nothing more is logged, and the next line is written again."""
    now = 0.0
    handler = FoldingHandler(lambda: now)

    def fail(number: int) -> str:
        handler.handle(logging.LogRecord("a.library", logging.ERROR, "", 0, "failure %s", (number,), None))
        return capsys.readouterr().err

    assert fail(1) == "failure 1\n"
    assert fail(2) + fail(3) == ""
    now = FOLD_SECONDS
    handler.report_folded()
    assert capsys.readouterr().err == "failure 3\n"
    assert fail(4) == "failure 4\n"
    assert fail(5) == ""
    now = 2 * FOLD_SECONDS
    assert fail(6) == "failure 5\nfailure 6\n"


def test_folded_kinds_are_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    """Memory is bounded by the number of kinds, and a forgotten kind loses no number."""
    handler = FoldingHandler()
    for number in range(2 * KINDS_MAX):
        handler.handle(logging.LogRecord(f"library.{number}", logging.ERROR, "", 0, "failure", (), None))
    assert len(handler._folds) <= KINDS_MAX
