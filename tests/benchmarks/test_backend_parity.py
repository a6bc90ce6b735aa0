"""The comparison of runs by several backends, which must not take different runs for the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from a2c_tf.runs import checkpoints
from a2c_tf.runs.checkpoint_files import Checkpoint
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.types import Counters
from benchmarks import backend_parity

Run = list[tuple[int, float]]
"""steps and the one weight of each checkpoint."""


def write(folder: Path, run: Run) -> Path:
    folder.mkdir()
    rows = [{"env_steps": steps, "episode_return": -20.0} for steps, _ in run]
    RunDir(folder).metrics.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    for steps, weight in run:
        weights = {"w": np.array([weight], np.float32)}
        checkpoint = Checkpoint(Counters(env_steps=steps), weights, {}, {})
        checkpoints.save(RunDir(folder).checkpoints, checkpoint)
    return folder


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ([(100, 1.0), (200, 2.0)], True),
        ([(100, 1.0)], True),  # still going on
        ([(100, 1.0), (200, np.nextafter(np.float32(2), np.float32(3)))], False),
        ([(100, 1.0), (201, 2.0)], False),  # episodes of other lengths: other names
        ([], False),
    ],
)
def test_runs_are_the_same_to_the_bit_or_not(tmp_path: Path, other: Run, same: bool) -> None:
    runs = {"one": [(100, 1.0), (200, 2.0)], "two": other}
    folders = {name: write(tmp_path / name, run) for name, run in runs.items()}
    assert backend_parity.compare(folders) == same
