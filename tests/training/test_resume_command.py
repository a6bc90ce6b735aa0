"""`--resume` as users type it: longer runs, damaged checkpoints, the best agent kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from a2c_tf import config
from a2c_tf.runs import checkpoints, run_dir
from a2c_tf.runs.run_dir import RunDir

Command = Callable[..., Any]
State = Callable[[RunDir], dict[str, Any]]
Train = Callable[..., Any]


def copied(finished_run: RunDir, path: Path) -> RunDir:
    shutil.copytree(finished_run.path, path)
    return RunDir(path)


def test_a_finished_run_goes_on_to_more_steps(
    finished_run: RunDir, tmp_path: Path, command: Command
) -> None:
    folder = copied(finished_run, tmp_path / "run")
    before = folder.metrics.read_bytes()
    best = json.loads((folder.checkpoints / "best" / "manifest.json").read_text())
    outcome = command(
        "a2c_tf.train", "--run-dir", folder.path, "--resume", "run.total_steps=22_000"
    )
    assert outcome.code == 0, outcome.err
    assert folder.metrics.read_bytes().startswith(before)
    steps = [row["env_steps"] for row in run_dir.read_metrics(folder.metrics)]
    assert steps == sorted(set(steps)) and steps[-1] >= 22_000
    assert json.loads(folder.evaluation.read_text())["env_steps"] == steps[-1]
    assert config.load(str(folder.config)).run.total_steps == 22_000
    now = json.loads((folder.checkpoints / "best" / "manifest.json").read_text())
    assert now["best_return"] >= best["best_return"]


def test_the_best_agent_is_not_lost_to_a_worse_one_on_resuming(
    finished_run: RunDir, tmp_path: Path, train: Train
) -> None:
    folder = copied(finished_run, tmp_path / "run")
    at = checkpoints.load_newest(folder.checkpoints)
    # found after the checkpoint was written, as the evaluation at a run's end is
    checkpoints.save(folder.checkpoints, at._replace(best_return=501.0), "best")
    trainer = train(config.load(str(folder.config)), folder.path, at)
    assert trainer.evaluate().returns.mean() < 501
    assert checkpoints.load(folder.checkpoints / "best").best_return == 501


def test_a_damaged_newest_checkpoint_costs_only_the_way_from_the_one_before(
    finished_run: RunDir, tmp_path: Path, train: Train, state: State
) -> None:
    folder = copied(finished_run, tmp_path / "run")
    newest = checkpoints.listed(folder.checkpoints)[-1]
    (newest / "optimizer.npz").write_bytes(b"")
    at = checkpoints.load_newest(folder.checkpoints)
    assert f"ckpt-{at.counters.env_steps}" != newest.name
    train(config.load(str(folder.config)), folder.path, at)
    assert state(folder) == state(finished_run)


def test_without_a_usable_checkpoint_nothing_is_resumed(
    finished_run: RunDir, tmp_path: Path, command: Command
) -> None:
    folder = copied(finished_run, tmp_path / "run")
    for path in checkpoints.listed(folder.checkpoints):
        (path / "manifest.json").unlink()
    before = folder.metrics.read_bytes()
    outcome = command("a2c_tf.train", "--run-dir", folder.path, "--resume")
    assert outcome.code == 3
    assert "no usable checkpoint" in outcome.mistake
    assert folder.metrics.read_bytes() == before
