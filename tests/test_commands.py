"""The commands as users type them: exit codes, one line for a mistake, nothing written by it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from a2c_tf import config
from a2c_tf.runs.run_dir import RunDir

Command = Callable[..., Any]
Content = Callable[[Path], dict[str, bytes]]

TRAIN, EVALUATE, PLOT, EXPORT = "a2c_tf.train", "a2c_tf.evaluate", "a2c_tf.plot", "export.__main__"
ENVS = "a2c_tf.envs.__main__"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of the test's own, into which a command might write."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["cartpole", "a2c.gama=0.9"], "a2c.gama: unknown setting; did you mean a2c.gamma?"),
        (["cartpole", "a2c.gamma=1.5"], "a2c.gamma: received 1.5"),
        (["cartpole", "run.seed"], "received the configs cartpole, run.seed"),
        (["cartpol"], "did you mean cartpole?"),
        (["no/such.yaml"], "config file no/such.yaml: not found"),
        (["cartpole", "catch"], "received the configs cartpole, catch; expected one"),
        (["cartpole", "env.id=CartPole-v9"], "env.id=CartPole-v9: "),
        (["cartpole", "env.id=Nope-v0"], "env.id=Nope-v0: "),
        (["cartpole", "env.id=no_such_module:Nope-v0"], "no_such_module"),
        (["cartpole", "env.id=ALE/Nope-v5"], "env.id=ALE/Nope-v5: "),
        (["cartpole", "env.id=Blackjack-v1", "env.backend=gymnasium"], "expected Box, Discrete, "),
        (["cartpole", "env.id=Catch-v1", "env.backend=graph"], "did you mean Catch-v0?"),
        (["cartpole", "network.torso=minatar"], "set network.torso=mlp"),
        (["cartpole", "env.backend=gymnasium", "run.compile=xla"], "set it to auto"),
        (["cartpole", "env.fo\no=1"], "unknown setting"),
        (["cartpole", "--resume"], "--resume: received no folder; add --run-dir DIR"),
        (["cartpole", "--resume", "--run-dir", "new"], "run folder new: holds no run"),
        (["cartpole", "--run-dir", "/sys/a2c_tf"], "run folder /sys/a2c_tf: "),
        (["cartpole", "--resume", "--overwrite"], "not allowed with argument"),
        (["cartpole", "--bogus"], "unrecognized arguments: --bogus; see python -m a2c_tf.train"),
        (["cartpole", "--run-dir"], "expected one argument"),
    ],
)
def test_train_answers_a_mistake_with_one_line_and_writes_nothing(
    arguments: list[str], expected: str, command: Command, elsewhere: Path
) -> None:
    outcome = command(TRAIN, *arguments)
    assert outcome.code == 2
    assert expected in outcome.mistake
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_without_its_package_is_refused_before_anything_is_written(
    name: str, command: Command, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"a2c_tf.runs.trackers.{name}", raising=False)
    outcome = command(TRAIN, "cartpole", f"run.trackers=tensorboard,{name}")
    assert outcome.code == 2
    assert f"pip install '{name}" in outcome.mistake
    assert not list(elsewhere.iterdir())


def test_settings_that_are_wrong_are_told_together(command: Command) -> None:
    outcome = command(TRAIN, "cartpole", "a2c.gamma=2", "run.seed=x", "env.ids=3")
    assert outcome.code == 2
    assert all(name in outcome.mistake for name in ("a2c.gamma", "run.seed", "env.ids"))


def test_a_folder_that_holds_a_run_is_not_trained_into(
    finished_run: RunDir, command: Command, content: Content
) -> None:
    before = content(finished_run.path)
    outcome = command(TRAIN, "cartpole", "--run-dir", finished_run.path)
    assert outcome.code == 2
    assert "already holds a run; add --resume to go on" in outcome.mistake
    assert content(finished_run.path) == before


def test_a_run_is_not_resumed_as_another_one(
    finished_run: RunDir, command: Command, content: Content
) -> None:
    before = content(finished_run.path)
    for override in ("network.hidden=[32]", "run.seed=9"):
        outcome = command(TRAIN, override, "--run-dir", finished_run.path, "--resume")
        assert outcome.code == 2
        assert f"{override.partition('=')[0]} is " in outcome.mistake
    assert content(finished_run.path) == before


def test_a_run_folder_that_is_a_file_is_refused(
    command: Command, content: Content, elsewhere: Path
) -> None:
    (elsewhere / "file").write_text("mine")
    for more in ([], ["--overwrite"], ["--resume"]):
        outcome = command(TRAIN, "cartpole", "--run-dir", "file", *more)
        assert outcome.code == 2
        assert outcome.mistake.startswith("run folder file: ")
    assert content(elsewhere) == {"file": b"mine"}


def test_list_names_every_config(command: Command) -> None:
    outcome = command(TRAIN, "--list")
    heading, *lines = outcome.out.splitlines()
    assert (outcome.code, outcome.err) == (0, "")
    assert heading.split()[:5] == ["config", "environment", "steps", "minutes", "score"]
    assert [line.split()[0] for line in lines] == config.names()


def test_the_printed_config_loads_to_the_same(
    command: Command, tmp_path: Path, elsewhere: Path
) -> None:
    overrides = ["run.total_steps=3e5", "network.hidden=[7, 8]", "env.max_episode_steps=99"]
    outcome = command(TRAIN, *overrides, "cartpole", "--print-config")
    assert (outcome.code, outcome.err) == (0, "")
    printed = tmp_path / "printed.yaml"
    printed.write_text(outcome.out, encoding="utf-8")
    assert config.load(str(printed)) == config.load("cartpole", overrides)
    assert not list(elsewhere.iterdir())


ASK_EACH_FOR_HELP = """
import contextlib, importlib, sys
for module in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        importlib.import_module(module).main(["--help"])
    assert not {"tensorflow", "keras"} & sys.modules.keys(), module
"""


@pytest.mark.process
def test_help_does_not_wait_for_tensorflow() -> None:
    modules = [TRAIN, EVALUATE, PLOT, ENVS, "export.__main__", "serving.__main__"]
    done = subprocess.run(
        [sys.executable, "-c", ASK_EACH_FOR_HELP, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    usages = re.findall("^usage: python -m ([a-z0-9_.]+)", done.stdout, re.MULTILINE)
    assert usages == [module.removesuffix(".__main__") for module in modules]


@pytest.mark.parametrize(
    ("module", "arguments", "expected"),
    [
        (TRAIN, ["cartpole", "env.num_env=3"], "did you mean env.num_envs?"),
        (TRAIN, ["cartpole", "env.id=NoSuchThing-v0"], "doesn't exist"),
        (EVALUATE, ["."], "run folder .: holds no run"),
        (PLOT, [".", "--out", "x.png"], "run folder .: holds no run"),
        ("export", ["."], "run folder .: holds no run"),
        ("a2c_tf.envs", ["brekout"], "did you mean MinAtar/Breakout-v0, MinAtar/Breakout-v1, "),
    ],
)
def test_a_mistake_is_one_line_in_a_process_of_its_own(
    module: str, arguments: list[str], expected: str, process: Command, elsewhere: Path
) -> None:
    outcome = process(module, *arguments)
    assert outcome.code == 2
    assert expected in outcome.mistake
    assert not list(elsewhere.iterdir())
