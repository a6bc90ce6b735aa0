"""The row of metrics for a stretch of training."""

from __future__ import annotations

import numpy as np

from a2c_tf.diagnostics import COUNT, DIAGNOSTICS
from a2c_tf.runs.metrics import Row
from a2c_tf.train_step import Report
from a2c_tf.types import Counters


class Window:
    """What happened since the last row of metrics."""

    def __init__(self, start: Counters) -> None:
        self._start = start
        self._sums: dict[str, float] = {}
        self.updates = 0
        self._measured: dict[str, float] = {}
        self._ended = np.zeros(3)

    def add(self, report: Report, updates: int) -> None:
        """Adds the report of one call of that many updates."""
        for name, mean in report.metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + mean * updates
        for name, total in report.diagnostics.items():
            self._measured[name] = self._measured.get(name, 0.0) + total
        self.updates += updates
        self._ended += np.array(report.statistics)

    def row(self, now: Counters) -> Row:
        """Returns the counters as they are, and averages over the window."""
        seconds = now.time_s - self._start.time_s
        row = {
            **now._asdict(),
            "steps_per_second": (now.env_steps - self._start.env_steps) / seconds,
            **{name: total / self.updates for name, total in self._sums.items()},
        }
        episodes, return_sum, length_sum = self._ended.tolist()
        if episodes:
            row["episode_return"] = return_sum / episodes
            row["episode_length"] = length_sum / episodes
        return {**row, **self._diagnostics()}

    def _diagnostics(self) -> Row:
        """Returns means over the updates that were looked at; empty where none was."""
        count = self._measured.get(COUNT)
        return {name: self._measured[name] / count for name in DIAGNOSTICS} if count else {}
