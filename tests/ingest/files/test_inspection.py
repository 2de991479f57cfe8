"""Every accepted type, and hostile files, as the check sees them: in this process and in its own."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from services.ingest.files import inspection
from services.ingest.files.inspection import inspect
from services.ingest.files.rules import EXTENSIONS, PART_BYTES_MAX, FileError
from tests.ingest.files.hidden_samples import HIDING
from tests.ingest.files.samples import ACCEPTED, HOSTILE, made, pdf, zipped

ROOT = Path(__file__).parents[3]


def written(folder: Path, content: bytes) -> Path:
    file = folder / "original"
    file.write_bytes(content)
    return file


REFUSED = {**HOSTILE, **HIDING}


@pytest.mark.parametrize("name", ACCEPTED)
def test_inspect_recognises_each_type_by_its_content(tmp_path: Path, name: str) -> None:
    """A file of each accepted type has the type of its content, without warnings."""
    found = inspect(written(tmp_path, ACCEPTED[name]))
    assert (EXTENSIONS[found.type], found.warnings) == (name.rpartition(".")[2], [])


@pytest.mark.parametrize("name", REFUSED)
def test_inspect_refuses_hostile_file_with_its_reason(tmp_path: Path, name: str) -> None:
    """Macros, scripts, polyglots, bombs and damaged files are refused, each with a stable reason and a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the module that wrote the sample
        content = made(REFUSED[name][0])
    with pytest.raises(FileError) as raised:
        inspect(written(tmp_path, content))
    assert raised.value.code == REFUSED[name][1], str(raised.value)
    assert raised.value.status == (415 if raised.value.code == "unsupported-type" else 422)
    assert str(raised.value)[0].islower()


def test_inspect_every_prefix_of_a_document_is_refused_or_accepted_without_error(tmp_path: Path) -> None:
    """A file that is cut off anywhere is refused as damaged or unknown, never with another exception."""
    for content in ACCEPTED.values():
        for length in range(1, len(content) - 30, max(1, len(content) // 25)):
            with pytest.raises(FileError):
                inspect(written(tmp_path, content[:length]))


def test_inspect_document_in_an_archive_has_a_size_limit(tmp_path: Path) -> None:
    """A document in an archive is unpacked for its check only up to a limit."""
    content = zipped({"a.pdf": bytes(PART_BYTES_MAX + 1), "b.txt": os.urandom(1_000_000)})
    with pytest.raises(FileError, match="an entry of more than") as raised:
        inspect(written(tmp_path, content))
    assert raised.value.code == "too-large"


def test_process_prints_the_result_as_json(tmp_path: Path) -> None:
    """The process prints the type, or the reason."""
    command = [sys.executable, "-m", "services.ingest.files.inspection"]
    results = []
    for content in (pdf(), made(HOSTILE["a PDF with JavaScript"][0])):
        done = subprocess.run([*command, str(written(tmp_path, content))], cwd=ROOT, capture_output=True, check=True)
        results.append(json.loads(done.stdout))
    assert results[0] == {"type": "application/pdf", "warnings": []}
    assert (results[1]["code"], results[1]["status"]) == ("scripts", 422)


def test_process_has_bounds_on_memory_and_processor_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The limits are set before the file is read."""
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(inspection.resource, "setrlimit", lambda kind, values: limits.update({kind: values}))
    inspection.main(str(written(tmp_path, pdf())))
    assert limits[inspection.resource.RLIMIT_AS][0] == inspection.MEMORY_BYTES_MAX
    assert limits[inspection.resource.RLIMIT_CPU][0] == inspection.CPU_SECONDS_MAX
