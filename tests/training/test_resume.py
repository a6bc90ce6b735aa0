"""Resuming: N updates, a stop, and N more are 2N updates, to the bit where that is promised."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from a2c_tf import config
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.runs import checkpoints, run_dir
from a2c_tf.runs.checkpoints import Checkpoint
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.training import experiment
from a2c_tf.training.reporter import Reporter
from a2c_tf.training.trainer import Trainer

pytestmark = pytest.mark.training

Command = Callable[..., Any]
Digest = Callable[[Mapping[str, np.ndarray]], str]
Train = Callable[..., Any]

SMALL = (
    "env.num_envs=8",
    "network.hidden=[16]",
    "a2c.unroll_length=2",
    "run.total_steps=1000",
    "run.updates_per_call=8",  # 128 steps, those of autoresets among them
    "run.log_every=100",
    "run.save_every=250",
    "run.keep_checkpoints=10",
    "run.eval_episodes=3",
)
KEEPING = {  # what has running state of its own beside weights and environments
    "cartpole": [],
    "cartpole, lstm, normalised": [
        "network.core=lstm",
        "network.core_size=8",
        "network.normalize_observation=true",
        "a2c.scale_reward=true",
    ],
    "pendulum, noise held over the stop": ["a2c.noise_hold=7", "env.max_episode_steps=30"],
    "minatar_breakout": [],
}


class Straight(NamedTuple):
    """A run that nothing interrupted."""

    config: Config
    folder: RunDir


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, train: Train) -> Callable[[str], Straight]:
    """The uninterrupted run of a config, trained once."""

    @functools.cache
    def run(name: str) -> Straight:
        settings = config.load(name.split(",")[0], [*SMALL, *KEEPING[name]])
        path = tmp_path_factory.mktemp(name) / "run"
        train(settings, path)
        return Straight(settings, RunDir(path))

    return run


State = Callable[[RunDir], dict[str, Any]]


def cut(straight: Straight, path: Path, checkpoint: int) -> Checkpoint:
    """The run as it was when its process died after `checkpoint`, later rows already written."""
    shutil.copytree(straight.folder.path, path)
    for later in checkpoints.listed(path / "checkpoints")[checkpoint + 1 :]:
        shutil.rmtree(later)
    return checkpoints.load_newest(path / "checkpoints")


@pytest.mark.parametrize(
    ("name", "checkpoint"),
    [("cartpole", 0), ("cartpole", 2), *((name, 1) for name in KEEPING if name != "cartpole")],
)
def test_a_run_cut_after_a_checkpoint_ends_as_the_uninterrupted_one(
    name: str,
    checkpoint: int,
    straight: Callable[[str], Straight],
    tmp_path: Path,
    train: Train,
    state: State,
) -> None:
    uninterrupted = straight(name)
    assert len(checkpoints.listed(uninterrupted.folder.checkpoints)) == 4
    at = cut(uninterrupted, tmp_path / "run", checkpoint)
    assert 0 < at.counters.env_steps < 1000
    train(uninterrupted.config, tmp_path / "run", at)
    assert state(RunDir(tmp_path / "run")) == state(uninterrupted.folder)


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(
    straight: Callable[[str], Straight],
    tmp_path: Path,
    command: Command,
    state: State,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uninterrupted = straight("minatar_breakout")
    polls = itertools.count()
    folder = RunDir(tmp_path / "run")
    reporter = Reporter(say=print)
    experiment.run(uninterrupted.config, folder.path, "new", lambda: next(polls) >= 3, reporter)
    (saved,) = checkpoints.listed(folder.checkpoints)
    command_line = f"python -m a2c_tf.train --run-dir {folder.path} --resume"
    assert capsys.readouterr().out.splitlines()[-1] == f"saved {saved}; resume with {command_line}"
    assert not folder.evaluation.exists() and not folder.export.exists()
    assert len(run_dir.read_metrics(folder.metrics)) == 3

    outcome = command("a2c_tf.train", "--run-dir", folder.path, "--resume")
    assert outcome.code == 0, outcome.err
    assert f"resuming at step {saved.name[5:]} of 1,000" in outcome.out
    assert state(folder) == state(uninterrupted.folder)
    assert folder.evaluation.exists() and folder.export.exists()


def test_what_the_host_steps_resumes_with_counters_and_slots_exact_and_new_episodes(
    tmp_path: Path, train: Train, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.load("cartpole", [*SMALL, "env.backend=gymnasium", "run.total_steps=400"])
    train(settings, tmp_path, calls=2)
    folder = RunDir(tmp_path)
    (saved,) = checkpoints.listed(folder.checkpoints)
    assert json.loads((saved / "manifest.json").read_text())["resume"] == "statistical"

    at = checkpoints.load(saved)
    started = Trainer(registry.make(settings.env), settings, folder, at)
    assert started.counters == at.counters
    started.save()
    again = checkpoints.load(saved)
    assert digest(again.model) == digest(at.model)
    assert digest(again.optimizer) == digest(at.optimizer)

    resumed = train(settings, tmp_path, at)
    steps = [row["env_steps"] for row in run_dir.read_metrics(folder.metrics)]
    assert steps == sorted(set(steps)) and steps[1] == at.counters.env_steps
    assert resumed.counters.env_steps >= 400 and resumed.counters.updates > at.counters.updates


def test_a_statistical_resume_repeats_no_episode_of_the_first_start(
    tmp_path: Path, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config.load("cartpole", [*SMALL, "env.backend=gymnasium", "run.total_steps=1"])
    train(settings, tmp_path)
    at = checkpoints.load_newest(tmp_path / "checkpoints")
    seeds: list[list[int]] = []
    reset = HostEnvironment.reset

    def noted(env: HostEnvironment, seed: tf.Tensor) -> Any:
        seeds.append(seed.numpy().tolist())
        return reset(env, seed)

    monkeypatch.setattr(HostEnvironment, "reset", noted)
    for checkpoint in (None, at, at):
        Trainer(registry.make(settings.env), settings, RunDir(tmp_path), checkpoint)
    first, resumed, resumed_again = seeds
    assert first != resumed == resumed_again


def test_games_of_another_shape_start_anew_with_a_warning(
    straight: Callable[[str], Straight], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of a checkpoint that an earlier version of a game wrote."""
    run, folder = straight("minatar_breakout"), RunDir(tmp_path / "run")
    at = cut(run, folder.path, 1)

    def begun(checkpoint: Checkpoint | None) -> Checkpoint:
        Trainer(registry.make(run.config.env), run.config, folder, checkpoint).save()
        newest = 0 if checkpoint is None else checkpoint.counters.env_steps
        return checkpoints.load(folder.checkpoints / f"ckpt-{newest}")

    np.testing.assert_equal(begun(at).unroll, at.unroll)
    assert "new episodes start" not in caplog.text
    turned = {name: leaf.T for name, leaf in at.unroll.items()}
    anew = begun(at._replace(unroll=turned))
    assert "env.num_envs=8; new episodes start" in caplog.text
    assert anew.counters == at.counters
    np.testing.assert_equal(anew.model, at.model)
    first = begun(None)
    differing = [n for n in first.unroll if not np.array_equal(first.unroll[n], anew.unroll[n])]
    assert differing  # other episodes than those of the first start
    assert all(anew.unroll[n].shape == leaf.shape for n, leaf in at.unroll.items())
