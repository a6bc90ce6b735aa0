"""A run's folder: which may be taken, what is cleared, what is written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from a2c_tf import config
from a2c_tf.errors import ConfigError
from a2c_tf.runs import run_dir
from a2c_tf.runs.run_dir import RunDir

CARTPOLE = config.load("cartpole")


def test_the_default_folder_names_config_seed_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = run_dir.default_path("cartpole", 3)
    assert re.fullmatch(r"runs/cartpole-3-\d{8}-\d{6}", path.as_posix())
    assert run_dir.default_path("some/where/mine.yaml", 0).name.startswith("mine-0-")


def test_a_new_folder_holds_the_config_from_which_the_run_starts_again(tmp_path: Path) -> None:
    folder = run_dir.create(tmp_path / "made/on/the/way", CARTPOLE)
    assert {path.name for path in folder.path.iterdir()} == {"config.yaml", "checkpoints"}
    opened, started_with = run_dir.open_existing(folder.path)
    assert (opened.path, started_with) == (folder.path, CARTPOLE)


def test_new_empty_and_unrelated_folders_are_free(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path / "new", tmp_path):
        run_dir.check_free(path, overwrite=False)


def test_a_folder_with_a_run_is_free_only_to_be_overwritten(tmp_path: Path) -> None:
    run_dir.create(tmp_path, CARTPOLE)
    with pytest.raises(ConfigError, match=r"already holds a run; add --resume .* or --overwrite"):
        run_dir.check_free(tmp_path, overwrite=False)
    run_dir.check_free(tmp_path, overwrite=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_never_free(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="is a file"):
        run_dir.check_free(tmp_path / "file", overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["export", "checkpoints", "tensorboard"])
def test_folders_of_others_under_the_names_of_a_run_are_not_taken(
    tmp_path: Path, name: str, overwrite: bool
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious.py").write_text("mine")
    with pytest.raises(ConfigError, match=f"holds {name}, but no config"):
        run_dir.check_free(tmp_path, overwrite)


def test_overwriting_clears_the_run_and_nothing_else(tmp_path: Path) -> None:
    folder = run_dir.create(tmp_path, CARTPOLE)
    (folder.checkpoints / "ckpt-1").mkdir()
    for path in (folder.tensorboard, folder.export):
        path.mkdir()
    for path in (folder.metrics, folder.evaluation, folder.curves, tmp_path / "notes.txt"):
        path.write_text("old")
    run_dir.create(tmp_path, CARTPOLE, overwrite=True)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.yaml", "checkpoints", "notes.txt"}
    assert not list(folder.checkpoints.iterdir())


def test_of_two_runs_that_found_a_folder_free_one_gets_it(tmp_path: Path) -> None:
    for _ in range(2):
        run_dir.check_free(tmp_path, overwrite=False)
    first = run_dir.create(tmp_path, CARTPOLE)
    first.metrics.write_text("precious")
    with pytest.raises(ConfigError, match="another run has just begun there"):
        run_dir.create(tmp_path, config.load("acrobot"))
    assert first.metrics.read_text() == "precious"
    assert run_dir.open_existing(tmp_path)[1] == CARTPOLE


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (Path("/sys/a2c_tf"), tmp_path / "file" / "run"):
        with pytest.raises(ConfigError, match=r"^run folder .* --run-dir$"):
            run_dir.create(path, CARTPOLE)


@pytest.mark.parametrize("path", ["new", "empty", "file"])
def test_what_holds_no_run_cannot_be_opened(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="holds no run"):
        run_dir.open_existing(tmp_path / path)


def test_a_run_whose_config_was_damaged_is_refused_by_its_path(tmp_path: Path) -> None:
    folder = run_dir.create(tmp_path, CARTPOLE)
    folder.config.write_text("env: [")
    with pytest.raises(ConfigError, match=f"config file {folder.config}: "):
        run_dir.open_existing(tmp_path)


def test_an_evaluation_is_that_of_its_checkpoint_alone(tmp_path: Path) -> None:
    folder = RunDir(tmp_path)
    assert run_dir.read_evaluation(folder, 100) is None
    run_dir.write_json(folder.evaluation, {"env_steps": 100, "mean": 3.0})
    assert run_dir.read_evaluation(folder, 100) == {"env_steps": 100, "mean": 3.0}
    assert run_dir.read_evaluation(folder, 200) is None


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    run_dir.write_json(path, {"version": 1})

    def no_space(descriptor: int) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        run_dir.write_json(path, {"version": 2})
    with pytest.raises(ValueError, match="Out of range float"):
        run_dir.write_json(path, {"version": float("nan")})
    assert json.loads(path.read_text()) == {"version": 1}
