"""The report of a run of the import command: a line of JSON for each item."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from services.ingest.imports.pipeline import ImportResult
from shared.cli import CommandError


class Report:
    """Writes results to a file; to none without one. A context manager."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._output: BinaryIO | None = None

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            CommandError: it cannot be written.
        """
        if self._file is not None:
            try:
                self._output = self._file.open("wb")
            except OSError as error:
                raise CommandError(f"cannot write the report {self._file}: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._output is not None:
            self._output.close()

    def write(self, file: str, result: ImportResult) -> None:
        """Write the result of an item of a file."""
        if self._output is not None:
            line = {"file": file, **msgspec.to_builtins(result)}
            self._output.write(msgspec.json.encode(line) + b"\n")
