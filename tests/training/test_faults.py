"""What may go wrong while training: numbers that are not finite, environments, a full disk."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from support import ROOT

from a2c_tf import config
from a2c_tf.envs import registry
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.errors import NonFiniteError
from a2c_tf.runs import checkpoints, metrics, run_dir
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.training.trainer import Trainer

pytestmark = [pytest.mark.process, pytest.mark.training]

Command = Callable[..., Any]

FAULTY = """
import os

import gymnasium
import numpy as np


class Faulty(gymnasium.Env):
    '''Goes on for ever; its step number `at` is as `fault` says.'''

    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, fault, at=30):
        self.fault, self.at, self.steps = fault, at, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if self.fault == "reset":
            raise RuntimeError("the door is locked")
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.steps += 1
        observation = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        reward = float(action)
        if self.steps == self.at:
            if self.fault == "die":
                os._exit(3)
            if self.fault == "raise":
                raise RuntimeError("the motor is on fire\\nand smoking")
            if self.fault == "nan observation":
                observation[1] = np.nan
            if self.fault in ("nan", "inf"):
                reward = float(self.fault)
        return observation, reward, False, False, {}


for fault in ("nan", "inf", "nan observation", "raise", "reset", "die"):
    gymnasium.register(
        f"{fault.title().replace(' ', '')}-v0",
        lambda fault=fault, **keywords: Faulty(fault, **keywords),
        disable_env_checker=True,
        max_episode_steps=1000,
    )
"""
SETTINGS = (
    "env.num_envs=2",
    "network.hidden=[8]",
    "a2c.unroll_length=2",
    "run.updates_per_call=1",
    "run.log_every=1",
    "run.save_every=1",
    "run.total_steps=200",
    "run.eval_episodes=2",
    "run.export=false",
)


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The module `faulty`, which registers an environment for each fault."""
    (tmp_path / "faulty.py").write_text(FAULTY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(gymnasium.registry)
    yield
    sys.modules.pop("faulty", None)
    for name in set(gymnasium.registry) - before:
        del gymnasium.registry[name]


def assert_only_finite_on_disk(folder: RunDir) -> None:
    for path in checkpoints.listed(folder.checkpoints):
        saved = checkpoints.load(path)
        for arrays in (saved.model, saved.optimizer):
            assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize("vectorization", ["sync", "async"])
@pytest.mark.parametrize("env_id", ["faulty:Nan-v0", "faulty:Inf-v0", "faulty:NanObservation-v0"])
def test_a_number_that_is_not_finite_stops_before_it_reaches_weights_or_disk(
    env_id: str, vectorization: str, tmp_path: Path
) -> None:
    chosen = (f"env.id={env_id}", f"env.vectorization={vectorization}")
    settings = config.load("cartpole", [*SETTINGS, *chosen])
    folder = run_dir.create(tmp_path / "run", settings)
    env = registry.make(settings.env)
    trainer = Trainer(env, settings, folder, None)
    expected = r"sub-environment [01], episode 1, step 30: .* (nan|inf); expected .*--resume"
    with pytest.raises(NonFiniteError, match=expected), report_errors(env):
        trainer.train(metrics.Writers(), lambda: False)
    assert 2 * 30 - 4 <= trainer.counters.env_steps < 2 * 30
    assert_only_finite_on_disk(folder)
    last = checkpoints.load_newest(folder.checkpoints)
    assert last.counters.updates == trainer.counters.updates
    for weight in trainer.agent.model.weights:
        np.testing.assert_array_equal(weight, last.model[weight.path])


@pytest.mark.usefixtures("faulty")
def test_train_tells_of_it_with_exit_code_4(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "run"
    outcome = command(
        "a2c_tf.train", "cartpole", *SETTINGS, "env.id=faulty:Nan-v0", "--run-dir", path
    )
    assert outcome.code == 4
    assert outcome.err.splitlines()[-1] == (
        "error: environment faulty:Nan-v0: sub-environment 0, episode 1, step 30: reward is nan; "
        "expected a finite number; fix this, then resume with --resume from the last checkpoint"
    )
    folder = RunDir(path)
    assert_only_finite_on_disk(folder)
    assert len(run_dir.read_metrics(folder.metrics)) >= 10
    assert not folder.export.exists() and not folder.evaluation.exists()


@pytest.mark.usefixtures("faulty")
def test_an_environment_that_raises_is_told_in_one_line(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "run"
    arguments = ("cartpole", *SETTINGS, "env.id=faulty:Raise-v0", "--run-dir", path)
    outcome = command("a2c_tf.train", *arguments)
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1] == (
        "error: environment faulty:Raise-v0: sub-environment 0, episode 1, step 30 "
        "raised RuntimeError: the motor is on fire and smoking"
    )
    assert checkpoints.load_newest(RunDir(path).checkpoints).counters.env_steps > 0


@pytest.mark.usefixtures("faulty")
def test_a_first_reset_that_raises_is_told_in_one_line(tmp_path: Path, command: Command) -> None:
    arguments = ("cartpole", *SETTINGS, "env.id=faulty:Reset-v0", "--run-dir", tmp_path / "run")
    outcome = command("a2c_tf.train", *arguments)
    assert (outcome.code, outcome.err) == (
        1,
        "error: environment faulty:Reset-v0: sub-environment 0, episode 1, step 0 "
        "raised RuntimeError: the door is locked\n",
    )


@pytest.mark.usefixtures("faulty")
def test_a_process_that_dies_has_an_exit_code_of_its_own(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "run"
    settings = (*SETTINGS, "env.id=faulty:Die-v0", "env.vectorization=async")
    outcome = command("a2c_tf.train", "cartpole", *settings, "--run-dir", path)
    assert outcome.code == 5
    assert outcome.err.splitlines()[-1].endswith("resume from the last checkpoint with --resume")
    assert "a process of its sub-environments has ended" in outcome.err
    assert checkpoints.load_newest(RunDir(path).checkpoints).counters.env_steps > 0


def test_a_learning_rate_too_large_never_leaves_weights_that_are_not_finite(
    tmp_path: Path, train: Callable[..., Trainer]
) -> None:
    large = ("run.compile=mixed", "optimizer.learning_rate=1e6")
    with contextlib.suppress(NonFiniteError):
        train(config.load("cartpole", [*SETTINGS, *large]), tmp_path)
    assert checkpoints.listed(tmp_path / "checkpoints")
    assert_only_finite_on_disk(RunDir(tmp_path))


def test_weights_that_overflow_in_the_very_last_update_are_not_saved(
    tmp_path: Path, command: Command
) -> None:
    path = tmp_path / "run"
    overflowing = ("optimizer.learning_rate=3e38", "a2c.max_grad_norm=1e9", "a2c.value_coef=1e6")
    settings = ("cartpole", *SETTINGS, "run.compile=mixed", *overflowing, "run.total_steps=1")
    outcome = command("a2c_tf.train", *settings, "--run-dir", path)
    assert outcome.code == 4
    assert "became inf before env step" in outcome.err.splitlines()[-1]
    assert not list((path / "checkpoints").iterdir())


def test_a_disk_that_fills_up_is_told_in_one_line_and_costs_no_checkpoint(
    tmp_path: Path, process: Command
) -> None:
    def let_no_file_grow_past_10_kb() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    path = tmp_path / "run"
    outcome = process(
        "a2c_tf.train",
        *("cartpole", "run.compile=mixed", "run.export=false", "run.total_steps=2000"),
        *("--run-dir", path),
        preexec_fn=let_no_file_grow_past_10_kb,
    )
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith(f"error: run folder {path}: File too large")
    assert "Traceback" not in outcome.err
    assert not list((path / "checkpoints").iterdir())


def test_nobody_reading_the_output_costs_no_run(tmp_path: Path) -> None:
    """As in `python -m a2c_tf.train | head -0`, with errors into the same pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "a2c_tf.train", "cartpole", *SETTINGS]
    done = subprocess.run(
        [*command, "--run-dir", str(tmp_path / "run")],
        cwd=ROOT,
        stdout=writer,
        stderr=writer,
        timeout=120,
    )
    os.close(writer)
    assert done.returncode == 0
    assert (tmp_path / "run" / "curves.png").is_file()
