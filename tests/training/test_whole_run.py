"""A run as a user starts it: every file of its folder, and the same run again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from matplotlib import image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from a2c_tf import config
from a2c_tf.runs import checkpoints, run_dir
from a2c_tf.runs.run_dir import RunDir

Command = Callable[..., Any]
Digest = Callable[[Mapping[str, np.ndarray]], str]
State = Callable[[RunDir], dict[str, Any]]

ROW_KEYS = {
    "env_steps",
    "updates",
    "time_s",
    "steps_per_second",
    "episodes",
    "episode_return",
    "episode_length",
    "loss/policy",
    "loss/value",
    "policy/entropy",
    "value/explained_variance",
    "value/mean",
    "value/rms",
    "grad/global_norm",
    "grad/clipped",
    "learning_rate",
    "entropy_coef",
}
SUMMARY_KEYS = {
    *("episodes", "mean", "std", "standard_error", "median", "min", "max", "mean_length")
}


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_the_folder_holds_what_the_contract_names(finished_run: RunDir) -> None:
    names = {path.name for path in finished_run.path.iterdir()}
    assert names == {
        ".lock",
        "config.yaml",
        "metrics.jsonl",
        "checkpoints",
        "tensorboard",
        "evaluation.json",
        "curves.png",
        "export",
    }
    exported = {path.name for path in finished_run.export.iterdir()}
    assert exported == {"policy.onnx", "saved_model", "manifest.json"}


def test_every_row_has_the_keys_of_the_contract_and_finite_numbers(finished_run: RunDir) -> None:
    rows = run_dir.read_metrics(finished_run.metrics)
    assert len(rows) >= 5
    for row in rows:
        assert row.keys() - {"eval/return"} == ROW_KEYS
        assert all(math.isfinite(value) for value in row.values())
    for name in ("env_steps", "updates", "episodes", "time_s"):
        values = [row[name] for row in rows]
        assert values == sorted(set(values)), name


def test_the_rows_agree_with_the_config(finished_run: RunDir) -> None:
    settings = config.load(str(finished_run.config))
    per_update = settings.env.num_envs * settings.a2c.unroll_length
    first, *_, last = run_dir.read_metrics(finished_run.metrics)
    # steps spent on autoresets are none of the environment's: one an episode
    assert last["env_steps"] == pytest.approx(
        last["updates"] * per_update - last["episodes"], abs=settings.env.num_envs
    )
    assert last["env_steps"] >= settings.run.total_steps > last["env_steps"] - per_update
    assert last["episode_return"] == last["episode_length"]  # reward 1 a step
    assert last["learning_rate"] < first["learning_rate"]
    assert last["policy/entropy"] < math.log(2) + 1e-6


def test_an_evaluation_adds_its_return_to_the_row(finished_run: RunDir) -> None:
    rows = run_dir.read_metrics(finished_run.metrics)
    (evaluated,) = (row for row in rows if "eval/return" in row)
    assert 15_000 <= evaluated["env_steps"] < 20_000
    assert 1 <= evaluated["eval/return"] <= 500


def test_tensorboard_shows_the_same_scalars(finished_run: RunDir) -> None:
    events = EventAccumulator(str(finished_run.tensorboard), size_guidance={"tensors": 0}).Reload()
    rows = run_dir.read_metrics(finished_run.metrics)
    scalars = {*ROW_KEYS - {"env_steps"}, "eval/return"}
    assert set(events.Tags()["tensors"]) == scalars | {"config", "_hparams_/session_start_info"}
    for tag in scalars:
        shown = [(e.step, tf.make_ndarray(e.tensor_proto).item()) for e in events.Tensors(tag)]
        written = [(row["env_steps"], row[tag]) for row in rows if tag in row]
        if tag == "eval/return":
            written.append((rows[-1]["env_steps"], read_json(finished_run.evaluation)["mean"]))
        np.testing.assert_allclose(shown, written, rtol=1e-6)


def test_checkpoints_are_kept_by_steps_with_the_best_beside_them(finished_run: RunDir) -> None:
    last = run_dir.read_metrics(finished_run.metrics)[-1]
    listed = checkpoints.listed(finished_run.checkpoints)
    assert len(listed) == 3 and listed[-1].name == f"ckpt-{last['env_steps']}"
    names = {path.name for path in finished_run.checkpoints.iterdir()}
    assert names == {*(path.name for path in listed), "best"}
    counters = checkpoints.load_newest(finished_run.checkpoints).counters
    for name in ("env_steps", "updates", "episodes", "time_s"):
        assert getattr(counters, name) == last[name]


def test_the_evaluation_describes_the_last_agent(finished_run: RunDir) -> None:
    evaluation = read_json(finished_run.evaluation)
    more = {"environment", "deterministic", "seed", "env_steps", "sampled"}
    assert evaluation.keys() == SUMMARY_KEYS | more
    assert evaluation["sampled"].keys() == SUMMARY_KEYS
    assert (evaluation["episodes"], evaluation["environment"]) == (7, "CartPole-v1")
    assert (evaluation["deterministic"], evaluation["seed"]) == (True, 0)
    assert evaluation["env_steps"] == run_dir.read_metrics(finished_run.metrics)[-1]["env_steps"]
    assert 1 <= evaluation["min"] <= evaluation["median"] <= evaluation["max"] <= 500
    assert read_json(finished_run.export / "manifest.json")["evaluation"] == evaluation


def test_best_is_the_better_of_both_evaluations(finished_run: RunDir) -> None:
    best = checkpoints.load(finished_run.checkpoints / "best")
    (during,) = (r for r in run_dir.read_metrics(finished_run.metrics) if "eval/return" in r)
    last = read_json(finished_run.evaluation)
    scores = {during["env_steps"]: during["eval/return"], last["env_steps"]: last["mean"]}
    assert best.best_return == max(scores.values()) == scores[best.counters.env_steps]


def test_the_curves_are_an_image(finished_run: RunDir) -> None:
    assert finished_run.curves.read_bytes().startswith(b"\x89PNG\r\n")
    height, width, _ = image.imread(finished_run.curves).shape
    assert 400 < height < 2000 and 600 < width < 3000


def test_the_same_run_again_in_another_process_is_bit_identical(
    finished_run: RunDir, tmp_path: Path, process: Command, state: State
) -> None:
    path = tmp_path / "again"
    outcome = process(
        "a2c_tf.train", finished_run.config, "--run-dir", path, env={"PYTHONHASHSEED": "7"}
    )
    assert outcome.code == 0, outcome.err
    assert state(RunDir(path)) == state(finished_run)
    assert read_json(RunDir(path).evaluation) == read_json(finished_run.evaluation)
    assert (path / "config.yaml").read_bytes() == finished_run.config.read_bytes()
    assert_tells_what_was_done(outcome.out, outcome.err, path)


def assert_tells_what_was_done(out: str, err: str, path: Path) -> None:
    for promised in ("return ", "steps/s", path / "curves.png", f"python -m serving {path}/export"):
        assert str(promised) in out
    assert err.splitlines() and all(" of 20,000 steps  " in line for line in err.splitlines())


@pytest.mark.parametrize(("name", "seeds"), [("cartpole", (3, 4)), ("minatar_breakout", (3, 3, 4))])
def test_the_seed_alone_decides_the_weights(
    name: str, seeds: tuple[int, ...], tmp_path: Path, train: Callable[..., Any], digest: Digest
) -> None:
    small = ["env.num_envs=8", "network.hidden=[16]", "a2c.unroll_length=2", "run.total_steps=150"]
    digests = []
    for i, seed in enumerate(seeds):
        settings = config.load(name, [*small, "run.updates_per_call=4", f"run.seed={seed}"])
        trainer = train(settings, tmp_path / str(i))
        assert trainer.counters.updates >= 9  # in three calls
        newest = checkpoints.load_newest(tmp_path / str(i) / "checkpoints")
        digests.append((seed, digest(newest.model) + digest(newest.unroll)))
    assert len(set(digests)) == len({seed for seed, _ in digests}) == len({d for _, d in digests})


@pytest.mark.training
def test_a_run_may_end_without_an_export(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "run"
    small = ["a2c.unroll_length=2", "run.total_steps=3_000", "run.eval_episodes=2"]
    outcome = command("a2c_tf.train", "cartpole", *small, "run.export=no", "--run-dir", path)
    assert outcome.code == 2  # YAML 1.2 has true and false alone
    short = [*small, "run.export=false", "run.trackers=[]"]
    outcome = command("a2c_tf.train", "cartpole", *short, "--run-dir", path)
    assert outcome.code == 0, outcome.err
    names = {file.name for file in path.iterdir()}
    files = {"config.yaml", "metrics.jsonl", "evaluation.json", "curves.png"}
    assert names == {".lock", "checkpoints", *files}
    assert "policy    not exported (run.export=false)" in outcome.out
    assert f"export    python -m export {path}" in outcome.out
    assert "serve it" not in outcome.out
