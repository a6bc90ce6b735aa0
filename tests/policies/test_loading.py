"""From a run's folder to a policy: by its export without TensorFlow, or by a checkpoint."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import ROOT
from support.onnx_models import write_export
from support.small_policies import small_policy

from a2c_tf import config
from a2c_tf.errors import CommandError
from a2c_tf.policies import PolicyError, load
from a2c_tf.runs import checkpoints
from a2c_tf.runs.run_dir import RunDir

Command = Callable[..., Any]

GOLDEN = """
import json, sys
import numpy as np
import a2c_tf

policy = a2c_tf.load(sys.argv[1])
golden = policy.manifest["golden"]
inputs = np.array([sample["inputs"]["observation"] for sample in golden], np.float32)
actions = [sample["outputs"]["action"] for sample in golden]
assert policy.act(inputs).tolist() == actions
assert [policy.act(row) for row in inputs] == actions
policy.act(inputs, deterministic=False)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.process
def test_an_export_acts_without_tensorflow(finished_run: RunDir) -> None:
    for folder in (finished_run.path, finished_run.export, finished_run.export / "policy.onnx"):
        done = subprocess.run(
            [sys.executable, "-c", GOLDEN, str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        loaded = set(done.stdout.split())
        assert {"a2c_tf", "onnxruntime", "numpy"} <= loaded
        heavy = {"tensorflow", "keras", "gymnasium", "pydantic", "onnx", "matplotlib"}
        assert not loaded & (heavy | {"starlette", "uvicorn", "httptools", "export"})


@pytest.fixture(scope="module")
def unexported(finished_run: RunDir, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was not exported."""
    path = tmp_path_factory.mktemp("unexported") / "run"
    shutil.copytree(finished_run.path, path, ignore=shutil.ignore_patterns("export"))
    return path


def test_a_checkpoint_acts_as_its_export(finished_run: RunDir, unexported: Path) -> None:
    observations = np.random.default_rng(0).uniform(-0.2, 0.2, (50, 4)).astype(np.float32)
    exported = load(finished_run.path)
    for network in (load(unexported), load(finished_run.path, "last")):
        np.testing.assert_array_equal(network.act(observations), exported.act(observations))
        assert network.act(observations[0]) == exported.act(observations[0])
        sampled = [p.act(observations, False, seed=3) for p in (network, exported)]
        np.testing.assert_array_equal(*sampled)
        assert network.manifest is not None and exported.manifest is not None
        assert network.manifest.items() <= exported.manifest.items()


def test_the_best_checkpoint_may_be_chosen(finished_run: RunDir) -> None:
    best = checkpoints.load(finished_run.checkpoints / "best").counters.env_steps
    for selector in ("best", best):
        if selector == "best" or (finished_run.checkpoints / f"ckpt-{best}").is_dir():
            assert (load(finished_run.path, selector).manifest or {})["env_steps"] == best


def test_greedy_scores_are_those_of_the_final_evaluation(finished_run: RunDir) -> None:
    evaluation = json.loads(finished_run.evaluation.read_text(encoding="utf-8"))
    scores = load(finished_run.path).evaluate(episodes=7, seed=0)
    assert scores.greedy.mean == evaluation["mean"] and scores.greedy.episodes == 7
    assert scores.greedy.std == pytest.approx(evaluation["std"])
    assert scores.greedy.standard_error == pytest.approx(evaluation["std"] / 6**0.5)
    assert scores.sampled.episodes == 7 and scores.sampled != scores.greedy


@pytest.mark.training
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["graph", "gymnasium"])
def test_memory_and_first_states_are_those_of_evaluate(
    tmp_path: Path, train: Callable[..., Any], command: Command, backend: str
) -> None:
    settings = ("env.num_envs=3", "network.core=lstm", "network.core_size=8", "network.hidden=[8]")
    short = ("run.total_steps=30", "run.updates_per_call=1", "run.compile=mixed")
    path = tmp_path / "run"
    train(config.load("cartpole", [*settings, *short, f"env.backend={backend}"]), path)
    outcome = command("a2c_tf.evaluate", path, "--episodes", "5", "--seed", "4")
    scores = load(path).evaluate(episodes=5, seed=4)
    assert scores.greedy.mean == json.loads(outcome.out)["mean"]


def test_folders_without_a_policy_are_one_line(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "export", small_policy("cartpole"))
    with pytest.raises(PolicyError, match="no run's folder"):
        load(folder, "best")
    with pytest.raises(PolicyError, match=r"policy.onnx: not found; expected a folder"):
        load(tmp_path)
    with pytest.raises(PolicyError, match="not found; expected an export folder"):
        load(tmp_path / "missing")
    with (folder / "policy.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(CommandError, match="the file is damaged or from another export"):
        load(folder)


def test_a_run_without_that_checkpoint_is_one_line(finished_run: RunDir) -> None:
    with pytest.raises(CommandError, match="checkpoint '7': not in"):
        load(finished_run.path, 7)
