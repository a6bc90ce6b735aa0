"""`evaluate`, `plot` and `export` on runs: whole, damaged, or not there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from a2c_tf.runs import checkpoints
from a2c_tf.runs.run_dir import RunDir

Command = Callable[..., Any]
Content = Callable[[Path], dict[str, bytes]]

EVALUATE, PLOT, EXPORT = "a2c_tf.evaluate", "a2c_tf.plot", "export.__main__"
READERS = [(EVALUATE, []), (PLOT, ["--out", "curves.png"]), (EXPORT, [])]


@pytest.mark.parametrize(("module", "more"), READERS)
def test_a_folder_without_a_run_is_refused(
    module: str,
    more: list[str],
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path, tmp_path / "missing"):
        outcome = command(module, path, *more)
        assert outcome.code == 2
        assert outcome.mistake.startswith(f"run folder {path}: holds no run")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def bare_run(finished_run: RunDir, tmp_path: Path) -> RunDir:
    """A run of which nothing but the config is left."""
    folder = RunDir(tmp_path / "bare")
    folder.path.mkdir()
    shutil.copy(finished_run.config, folder.config)
    return folder


@pytest.mark.parametrize("selector", ["last", "best", "12345"])
@pytest.mark.parametrize("module", [EVALUATE, EXPORT])
def test_without_a_checkpoint_the_exit_code_is_3(
    module: str, selector: str, bare_run: RunDir, command: Command, content: Content
) -> None:
    outcome = command(module, bare_run.path, "--checkpoint", selector)
    assert outcome.code == 3
    assert str(bare_run.checkpoints) in outcome.mistake
    assert content(bare_run.path).keys() == {"config.yaml"}


def test_an_unknown_checkpoint_is_refused_with_what_there_is(
    finished_run: RunDir, command: Command
) -> None:
    for module in (EVALUATE, EXPORT):
        outcome = command(module, finished_run.path, "--checkpoint", "12345")
        assert outcome.code == 3
        assert "checkpoint '12345': not in" in outcome.mistake
        assert "expected last or one of best, " in outcome.mistake


@pytest.mark.parametrize(
    ("module", "arguments", "expected"),
    [
        (EVALUATE, [], "required: RUN_DIR"),
        (EVALUATE, ["run", "--episodes", "0"], "received 0, expected a whole number >= 1"),
        (EVALUATE, ["run", "--episodes", "ten"], "received ten, expected a whole number >= 1"),
        (EVALUATE, ["run", "--seed", "-1"], "--seed"),
        (EVALUATE, ["run", "--epsodes", "3"], "unrecognized arguments: --epsodes"),
        (PLOT, ["run"], "required: --out"),
        (PLOT, ["--out", "curves.png"], "required: RUN_DIR"),
        (EXPORT, ["run", "--format", "tflite"], "invalid choice: 'tflite'"),
        (EXPORT, ["run", "--bogus"], "unrecognized arguments: --bogus"),
    ],
)
def test_mistyped_arguments_are_told_in_one_line(
    module: str, arguments: list[str], expected: str, command: Command
) -> None:
    outcome = command(module, *arguments)
    assert outcome.code == 2
    assert expected in outcome.mistake
    assert "--help" in outcome.mistake


def evaluated(command: Command, *arguments: str | Path) -> dict[str, Any]:
    outcome = command(EVALUATE, *arguments)
    assert outcome.code == 0, outcome.err
    printed: dict[str, Any] = json.loads(outcome.out)
    return printed


def test_evaluate_gives_what_training_found_and_the_same_again(
    finished_run: RunDir, command: Command, content: Content
) -> None:
    before = content(finished_run.path)
    first = evaluated(command, finished_run.path, "--episodes", "7")
    found = json.loads(finished_run.evaluation.read_text(encoding="utf-8"))
    sampled = found.pop("sampled")
    assert first == found
    both = ("episodes", "environment", "env_steps")
    again = evaluated(command, finished_run.path, "--episodes", "7", "--sampled")
    assert {name: x for name, x in again.items() if name in sampled} == sampled
    assert [again[name] for name in both] == [first[name] for name in both]
    assert evaluated(command, finished_run.path, "--episodes", "7") == first
    assert content(finished_run.path) == before


def test_evaluate_does_as_it_is_told(finished_run: RunDir, command: Command) -> None:
    oldest = min(int(path.name[5:]) for path in finished_run.checkpoints.glob("ckpt-*"))
    found = evaluated(
        command,
        finished_run.path,
        "--episodes=3",
        "--sampled",
        "--seed=4",
        f"--checkpoint={oldest}",
    )
    assert (found["episodes"], found["seed"], found["env_steps"]) == (3, 4, oldest)
    assert found["deterministic"] is False


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning_and_stays(
    finished_run: RunDir, tmp_path: Path, process: Command
) -> None:
    folder = RunDir(Path(shutil.copytree(finished_run.path, tmp_path / "run")))
    *_, before, newest = checkpoints.listed(folder.checkpoints)
    (newest / "model.npz").write_bytes(b"")
    outcome = process(EVALUATE, folder.path, "--episodes=2")
    assert outcome.code == 0, outcome.err
    assert before.name == f"ckpt-{json.loads(outcome.out)['env_steps']}"
    (warning,) = outcome.err.splitlines()
    assert str(newest) in warning and warning.endswith("; using the one before")
    assert newest.is_dir()
