"""Writers of a run's metrics, each with one verb, `write(row)`."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

import rich.console
import rich.progress
import tensorflow as tf

from a2c_tf.cli import say
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


class TensorBoard:
    """Writes the same scalars as TensorBoard event files, by environment steps.

    Args:
      path: of the folder; its content is deleted, since a resumed run may come a second time to
        steps after its checkpoint.
      rows: those that were written before.
    """

    def __init__(self, path: Path, rows: Sequence[Row] = ()) -> None:
        shutil.rmtree(path, ignore_errors=True)
        self._writer = tf.summary.create_file_writer(str(path))
        for row in rows:
            self._add(row)
        self._writer.flush()

    def write(self, row: Row) -> None:
        self._add(row)
        self._writer.flush()

    def _add(self, row: Row) -> None:
        with self._writer.as_default():
            for name, value in row.items():
                if name != "env_steps":
                    tf.summary.scalar(name, value, step=int(row["env_steps"]))

    def close(self) -> None:
        self._writer.close()


class Progress:
    """Shows a live line on a terminal, else a plain line at most every `interval_s` seconds.

    Args:
      total_steps: environment steps of the run.
      start: environment steps that were taken before.
      interval_s: seconds between plain lines.
    """

    def __init__(self, total_steps: int, start: int, interval_s: float = 5.0) -> None:
        self._total = total_steps
        self._interval = interval_s
        self._next_line = time.monotonic()
        self._live: rich.progress.Progress | None = None
        if sys.stderr.isatty():
            self._live = _live_line()
            self._live.start()
            self._task = self._live.add_task("", total=total_steps, completed=start, news="")

    def write(self, row: Row) -> None:
        if self._live:
            self._live.update(self._task, completed=int(row["env_steps"]), news=news(row))
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + self._interval
            left = max(self._total - row["env_steps"], 0) / max(row["steps_per_second"], 1)
            say(
                f"{row['env_steps']:,.0f} of {self._total:,} steps  {news(row)}  {left:.0f} s left",
                sys.stderr,
            )

    def close(self) -> None:
        if self._live:
            self._live.stop()


def news(row: Row) -> str:
    """Returns speed, return and losses in a few words."""
    episode_return = row.get("episode_return")
    return (
        f"{row['steps_per_second']:,.0f} steps/s  "
        f"return {'-' if episode_return is None else f'{episode_return:.2f}'}  "
        f"loss policy {row['loss/policy']:.3f} value {row['loss/value']:.3f}"
    )


def _live_line() -> rich.progress.Progress:
    return rich.progress.Progress(
        rich.progress.BarColumn(bar_width=20),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("{task.fields[news]}"),
        rich.progress.TimeRemainingColumn(),
        console=rich.console.Console(stderr=True),
    )
