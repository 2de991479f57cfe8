"""The report of a run."""

import json
from pathlib import Path

import pytest

from services.ingest.imports.pipeline import ImportResult
from services.ingest.imports.report import Report
from services.ingest.imports.warnings import make_warning
from shared.cli import CommandError


def test_report_has_a_line_for_each_result(tmp_path: Path) -> None:
    """Each result is a line of JSON with its file and its warnings."""
    result = ImportResult(place="item 1", status="created", warnings=[make_warning("image", "x")])
    with Report(tmp_path / "r.jsonl") as report:
        report.write("a.xml", result)
        report.write("b.xml", ImportResult(place="file", status="failed", reason="x"))
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [(one["file"], one["status"]) for one in lines] == [("a.xml", "created"), ("b.xml", "failed")]
    assert lines[0]["warnings"] == [{"kind": "image", "message": "x"}]


def test_report_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    """A wrong path is refused before anything is imported; without a file nothing is written."""
    with pytest.raises(CommandError, match="cannot write the report"), Report(tmp_path / "khong/r.jsonl"):
        pass
    with Report(None) as report:
        report.write("a.xml", ImportResult(place="x", status="failed"))
