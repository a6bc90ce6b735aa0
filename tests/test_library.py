"""`a2c_tf.train`: the run of the command, heard of and stopped by the program that calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

import a2c_tf
from a2c_tf import config as configs
from a2c_tf.runs import checkpoints, run_dir
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.training.interrupt import stopping_signals

pytestmark = [pytest.mark.process, pytest.mark.training]

State = Callable[[RunDir], dict[str, Any]]

SMALL = {
    "env.num_envs": 2,
    "a2c.unroll_length": 2,
    "network.hidden": [8],
    "run": {"total_steps": 400, "updates_per_call": 10, "log_every": 80, "save_every": 160},
    "run.eval_every": 160,
    "run.eval_episodes": 2,
    "run.compile": "mixed",
    "run.export": False,
}


class Listener(a2c_tf.Callback):
    """Notes each event; raises or returns what it was made with."""

    def __init__(self, **behaviour: Any) -> None:
        self.behaviour = behaviour
        self.heard: list[tuple[str, Any]] = []

    def _hear(self, event: str, content: Any) -> Any:
        self.heard.append((event, content))
        answer = self.behaviour.get(event)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def on_start(self, path: Path, config: a2c_tf.Config) -> None:
        self._hear("start", (path, config))

    def on_metrics(self, row: Mapping[str, float]) -> bool | None:
        return self._hear("metrics", row)

    def on_evaluation(self, evaluation: Mapping[str, Any]) -> bool | None:
        return self._hear("evaluation", evaluation)

    def on_checkpoint(self, path: Path) -> bool | None:
        assert (path / "manifest.json").is_file()
        return self._hear("checkpoint", path)

    def on_end(self) -> None:
        self._hear("end", None)

    def of(self, event: str) -> list[Any]:
        return [content for name, content in self.heard if name == event]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_run_is_that_of_the_command(
    finished_run: RunDir, tmp_path: Path, state: State, capfd: pytest.CaptureFixture[str]
) -> None:
    listener = Listener()
    handlers = [signal.getsignal(number) for number in stopping_signals()]
    run = a2c_tf.train(
        configs.load(str(finished_run.config)), run_dir=tmp_path / "run", callbacks=[listener]
    )
    assert capfd.readouterr().out == ""
    assert handlers == [signal.getsignal(number) for number in stopping_signals()]
    folder = RunDir(tmp_path / "run")
    assert state(folder) == state(finished_run)
    files = {p.relative_to(finished_run.path) for p in finished_run.path.rglob("*")}
    ours = {p.relative_to(folder.path) for p in folder.path.rglob("*")}
    tensorboard = {path for path in files | ours if "tfevents" in path.name}
    assert files - tensorboard == ours - tensorboard
    for name in ("config.yaml", "evaluation.json"):
        assert (folder.path / name).read_text() == (finished_run.path / name).read_text()
    assert_described(run, folder)
    assert_heard(listener, folder)


def assert_described(run: a2c_tf.Run, folder: RunDir) -> None:
    assert run.path == folder.path and run.finished
    assert run.config == configs.load(str(folder.config))
    assert run.evaluation == read_json(folder.evaluation)
    assert run.metrics() == run_dir.read_metrics(folder.metrics)
    assert run.env_steps == run.metrics()[-1]["env_steps"]
    assert run.policy().act([0.0, 0.0, 0.0, 0.0]) in (0, 1)


def assert_heard(listener: Listener, folder: RunDir) -> None:
    events = [event for event, _ in listener.heard]
    assert events[0] == "start" and events[-1] == "end" and events.count("end") == 1
    assert listener.of("start") == [(folder.path, configs.load(str(folder.config)))]
    assert listener.of("metrics") == run_dir.read_metrics(folder.metrics)
    during, final = listener.of("evaluation")
    assert during["mean"] == next(r["eval/return"] for r in listener.of("metrics") if len(r) > 17)
    assert final.items() <= read_json(folder.evaluation).items()
    assert listener.of("checkpoint") == checkpoints.listed(folder.checkpoints)


def test_false_ends_the_training_and_the_rest_is_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is named after the environment, since the config has no name."""
    monkeypatch.chdir(tmp_path)
    listener = Listener(metrics=False)
    run = a2c_tf.train(
        configs.resolve("cartpole", SMALL).model_dump(),
        {"run.seed": 5, "run.export": True},
        callbacks=[listener],
    )
    assert run.path.parent == Path("runs") and run.path.name.startswith("CartPole-v1-5-")
    assert run.finished and 0 < run.env_steps < 160
    assert len(listener.of("metrics")) == 1
    assert run.evaluation is not None and run.evaluation["env_steps"] == run.env_steps
    assert (run.path / "export" / "policy.onnx").is_file()


def test_an_error_of_a_callback_costs_no_training(tmp_path: Path, state: State) -> None:
    path, error = tmp_path / "run", OSError("the tracker is away")
    failing = Listener(evaluation=error)  # the first event of several, before its row is reported
    with pytest.raises(OSError, match="the tracker is away") as raised:
        a2c_tf.train("cartpole", SMALL, run_dir=path, callbacks=[failing])
    assert raised.value is error and failing.of("end") == [None]
    stopped = checkpoints.load_newest(RunDir(path).checkpoints).counters.env_steps
    assert 0 < stopped == run_dir.read_metrics(RunDir(path).metrics)[-1]["env_steps"]

    resumed = a2c_tf.train(run_dir=path, resume=True)
    assert resumed.finished and resumed.env_steps > stopped
    whole = a2c_tf.train("cartpole", SMALL, run_dir=tmp_path / "whole")
    assert state(RunDir(resumed.path)) == state(RunDir(whole.path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": "no_such_config"}, "no such name"),
        ({"overrides": {"run.seed": -1}}, "run.seed: received -1"),
        ({"config": "cartpole", "run_dir": "taken"}, "already holds a run"),
        ({"resume": True}, "resume: received no folder"),
        ({"resume": True, "run_dir": "empty"}, "holds no run"),
        ({"resume": True, "run_dir": "taken", "overrides": {"a2c.gamma": 0.5}}, "gamma is 0.99"),
        ({"resume": True, "run_dir": "taken", "overwrite": True}, "received both"),
        ({"callbacks": [print]}, "callbacks: received <built-in"),
    ],
)
def test_mistakes_are_found_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run_dir.create(Path("taken"), configs.load("cartpole"))
    with pytest.raises(a2c_tf.ConfigError, match=message):
        a2c_tf.train(**arguments)
    assert not Path("runs").exists()


CTRL_C = """
import signal, sys
import a2c_tf


class Ending(a2c_tf.Callback):
    def on_metrics(self, row):
        signal.raise_signal(getattr(signal, sys.argv[1]))


try:
    a2c_tf.train(
        "cartpole", {"run.compile": "mixed", "run.log_every": 100, "run.export": False},
        run_dir="run", callbacks=[Ending()],
    )
except KeyboardInterrupt:
    print("interrupted", end="")
"""


@pytest.mark.parametrize(
    ("name", "code", "out"), [("SIGINT", 0, "interrupted"), ("SIGTERM", -signal.SIGTERM, "")]
)
def test_a_signal_saves_and_then_does_what_it_always_does(
    tmp_path: Path, name: str, code: int, out: str
) -> None:
    done = python(CTRL_C, name, folder=tmp_path)
    assert (done.returncode, done.stdout) == (code, out), done.stderr
    assert checkpoints.load_newest(tmp_path / "run" / "checkpoints").counters.env_steps >= 100


TWO = """
import sys
import a2c_tf

SHORT = {"run.total_steps": 400, "run.updates_per_call": 5, "run.eval_episodes": 1}
SHORT |= {"run.export": False, "a2c.unroll_length": 2}
if sys.argv[1] == "both":
    a2c_tf.train("cartpole", {**SHORT, "network.hidden": [8]}, run_dir="first")
# whose layers are computed one by one, in shards: TensorFlow has other threads for that
a2c_tf.train("cartpole", {**SHORT, "run.compile": "mixed", "env.num_envs": 64}, run_dir=sys.argv[1])
"""


@pytest.mark.slow
def test_a_second_run_in_a_process_is_what_it_is_alone(tmp_path: Path, state: State) -> None:
    """Though the first has set TensorFlow's threads, once and for all."""
    for name in ("both", "alone"):
        done = python(TWO, name, folder=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert state(RunDir(tmp_path / "both")) == state(RunDir(tmp_path / "alone"))


def python(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
