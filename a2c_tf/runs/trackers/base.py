"""What a tracker is, and what it is made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from a2c_tf.config import Config
from a2c_tf.runs.metrics import Row
from a2c_tf.runs.run_dir import RunDir


class TrackedRun(NamedTuple):
    """The run that a tracker follows."""

    config: Config
    folder: RunDir
    rows: Sequence[Row]
    """those that were written before; empty for a new run."""


class Tracker(Protocol):
    """A writer of metrics that may live elsewhere."""

    id: str | None
    """by which a resumed run goes on with the same one; None where it needs none."""

    def write(self, row: Row) -> None:
        """Writes one row."""

    def close(self, failed: bool = False) -> None:
        """Closes the tracker; `failed` says whether an error ended the run."""
