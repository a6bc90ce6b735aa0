"""Writers of a run's metrics, each with one verb, `write(row)`, and the first of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol

from a2c_tf.runs.atomic_files import write_text
from a2c_tf.runs.run_dir import read_metrics

Row = Mapping[str, float | int]


class Writer(Protocol):
    """Takes rows of metrics in the order of `env_steps`."""

    def write(self, row: Row) -> None:
        """Writes one row."""

    def close(self) -> None:
        """Closes what the writer holds open."""


class Writers:
    """Several writers as one."""

    def __init__(self, *writers: Writer) -> None:
        self._writers = writers

    def write(self, row: Row) -> None:
        for writer in self._writers:
            writer.write(row)

    def close(self) -> None:
        for writer in self._writers:
            writer.close()


class JsonLines:
    """Writes a JSON object a line, appended.

    Args:
      path: of the file.
      resume_at: environment steps; rows past it are dropped first, since a resumed run writes them
        again.
    """

    def __init__(self, path: Path, resume_at: int) -> None:
        kept = (
            [row for row in read_metrics(path) if row["env_steps"] <= resume_at]
            if resume_at
            else []
        )
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def write(self, row: Row) -> None:
        self._file.write(json.dumps(dict(row), allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
