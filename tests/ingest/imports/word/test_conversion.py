"""The process that converts: its bounds, and the documents that it never opens."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from services.ingest.files.rules import FileError
from services.ingest.imports.word import conversion
from services.ingest.imports.word.conversion import convert
from tests.ingest.files.samples import pdf, xlsx
from tests.ingest.imports.word.documents import p, word

ROOT = Path(__file__).parents[4]


def written(folder: Path, content: bytes) -> Path:
    file = folder / "document.docx"
    file.write_bytes(content)
    return file


def test_process_prints_html_and_its_limits_are_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The process prints JSON, and sets its limits before it reads the document."""
    file = written(tmp_path, word(p("Chợ Cồn")))
    command = [sys.executable, "-m", "services.ingest.imports.word.conversion", str(file), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert json.loads(done.stdout)["html"] == "<p>Chợ Cồn</p>"
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(conversion.resource, "setrlimit", lambda kind, values: limits.update({kind: values}))
    conversion.main(str(file), str(tmp_path))
    assert limits[conversion.resource.RLIMIT_AS][0] == conversion.MEMORY_BYTES_MAX


def test_convert_refuses_other_documents(tmp_path: Path) -> None:
    """A workbook in a document's name is not converted."""
    with pytest.raises(FileError, match="not a Word document"):
        convert(written(tmp_path, xlsx()), tmp_path)
    with pytest.raises(FileError):
        convert(written(tmp_path, pdf()), tmp_path)
