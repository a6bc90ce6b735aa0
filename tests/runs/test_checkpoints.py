"""Checkpoints: what is written comes back, and what is damaged is never used."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from a2c_tf.errors import ExitCode
from a2c_tf.runs import checkpoints
from a2c_tf.runs.checkpoint_files import Checkpoint, CheckpointError, DamagedError
from a2c_tf.runs.checkpoints import AccessError
from a2c_tf.types import Counters

FILES = ("model.npz", "optimizer.npz", "unroll.npz", "manifest.json")


def checkpoint(env_steps: int, best_return: float | None = None) -> Checkpoint:
    """A small checkpoint whose numbers tell of which step it is."""
    kernel = np.full((2, 3), env_steps, np.float32)
    return Checkpoint(
        counters=Counters(env_steps, updates=env_steps // 10, episodes=3, time_s=0.1),
        model={"torso/kernel": kernel, "torso/bias": np.arange(3, dtype=np.float32)},
        optimizer={"rmsprop/iteration": np.int64(env_steps), "rmsprop/velocity": kernel + 1},
        unroll={"000": np.array([True, False]), "001": np.array([[7, 8]], np.int32)},
        best_return=best_return,
    )


def assert_equal(a: Checkpoint, b: Checkpoint) -> None:
    assert (a.counters, a.best_return) == (b.counters, b.best_return)
    for x, y in ((a.model, b.model), (a.optimizer, b.optimizer), (a.unroll, b.unroll)):
        assert x.keys() == y.keys()
        for name in x:
            np.testing.assert_array_equal(x[name], y[name], strict=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds the checkpoints of steps 100, 200 and 300."""
    for env_steps in (100, 200, 300):
        checkpoints.save(tmp_path, checkpoint(env_steps))
    return tmp_path


@pytest.mark.parametrize("best_return", [None, -1.5])
def test_what_is_saved_comes_back(tmp_path: Path, best_return: float | None) -> None:
    saved = checkpoint(40, best_return)
    path = checkpoints.save(tmp_path / "made/on/the/way", saved)
    assert path.name == "ckpt-40"
    assert {file.name for file in path.iterdir()} == set(FILES)
    assert_equal(checkpoints.load(path), saved)


def test_a_checkpoint_without_environments_says_so(tmp_path: Path) -> None:
    path = checkpoints.save(tmp_path, checkpoint(1)._replace(unroll={}))
    assert json.loads((path / "manifest.json").read_text())["resume"] == "statistical"
    assert checkpoints.load(path).unroll == {}


def test_saving_again_replaces_the_checkpoint_of_that_name(tmp_path: Path) -> None:
    checkpoints.save(tmp_path, checkpoint(1), "best")
    checkpoints.save(tmp_path, checkpoint(2), "best")
    assert checkpoints.load(tmp_path / "best").counters.env_steps == 2
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def adopt(path: Path, file: str) -> None:
    """Makes the manifest of a checkpoint say what the file holds now."""
    manifest = json.loads((path / "manifest.json").read_text())
    digest = hashlib.sha256((path / file).read_bytes()).hexdigest()
    change_manifest(path, sha256=manifest["sha256"] | {file: digest})


def change_manifest(path: Path, **changes: Any) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | changes))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = [truncate, flip_bit, empty, Path.unlink, as_folder]
Damage = Callable[[Path], None]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_newest_checkpoint_is_set_aside_for_the_one_before(
    folder: Path, file: str, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    damage(folder / "ckpt-300" / file)
    with caplog.at_level(logging.WARNING):
        assert_equal(checkpoints.load_newest(folder), checkpoint(200))
    (warning,) = caplog.messages
    assert "ckpt-300" in warning and "using the one before" in warning
    names = {path.name for path in folder.iterdir()}
    assert names == {"ckpt-100", "ckpt-200", "ckpt-300.corrupt"}


@pytest.mark.parametrize("content", ["[]", "null", "3", "{}", '{"schema": 1}', '{"schema": 1'])
def test_a_manifest_of_another_form_is_damage(folder: Path, content: str) -> None:
    (folder / "ckpt-300" / "manifest.json").write_text(content)
    assert checkpoints.load_newest(folder).counters.env_steps == 200


@pytest.mark.parametrize("hashes", [[], None, "model.npz", {}, {"model.npz": 1}])
def test_hashes_of_another_form_are_damage(folder: Path, hashes: Any) -> None:
    change_manifest(folder / "ckpt-300", sha256=hashes)
    with pytest.raises(DamagedError, match="ckpt-300"):
        checkpoints.load(folder / "ckpt-300")


def test_a_file_that_was_never_an_array_is_damage(folder: Path) -> None:
    path = folder / "ckpt-300"
    empty(path / "model.npz")
    adopt(path, "model.npz")
    with pytest.raises(DamagedError, match="ckpt-300"):
        checkpoints.load(path)


def as_endless_link(path: Path) -> None:
    """What even root cannot read."""
    path.unlink(missing_ok=True)
    path.symlink_to(path)


@pytest.mark.parametrize("file", FILES)
def test_what_cannot_be_read_is_no_damage_and_stays_where_it_is(folder: Path, file: str) -> None:
    as_endless_link(folder / "ckpt-300" / file)
    for load in (
        lambda: checkpoints.load(folder / "ckpt-300"),
        lambda: checkpoints.load_newest(folder),
        lambda: checkpoints.load_selected(folder, "last"),
    ):
        with pytest.raises(AccessError, match=r"ckpt-300: no access \(Too many levels of symb"):
            load()
    assert {path.name for path in folder.iterdir()} == {"ckpt-100", "ckpt-200", "ckpt-300"}


@pytest.mark.parametrize("selector", ["last", "best", "300"])
def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path, selector: str) -> None:
    folder = tmp_path / "checkpoints"
    as_endless_link(folder)
    for load in (
        lambda: checkpoints.load_newest(folder),
        lambda: checkpoints.load_selected(folder, selector),
    ):
        with pytest.raises(AccessError, match=f"checkpoints in {folder}: no access") as raised:
            load()
        assert raised.value.exit_code == ExitCode.NO_CHECKPOINT


def test_damage_is_only_set_aside_by_who_goes_on_with_the_run(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    truncate(folder / "ckpt-300" / "model.npz")
    assert_equal(checkpoints.load_selected(folder, "last"), checkpoint(200))
    (warning,) = caplog.messages
    assert "ckpt-300" in warning and warning.endswith("; using the one before")
    assert {path.name for path in folder.iterdir()} == {"ckpt-100", "ckpt-200", "ckpt-300"}


def test_damage_that_cannot_be_set_aside_is_told(folder: Path) -> None:
    truncate(folder / "ckpt-300" / "model.npz")
    (folder / "ckpt-300.corrupt").touch()
    with pytest.raises(AccessError, match=f"checkpoints in {folder}: no access"):
        checkpoints.load_newest(folder)


def test_an_empty_folder_is_damage(folder: Path) -> None:
    (folder / "ckpt-400").mkdir()
    assert checkpoints.load_newest(folder).counters.env_steps == 300


def test_without_a_whole_checkpoint_there_is_an_error(folder: Path) -> None:
    for path in list(folder.iterdir()):
        truncate(path / "model.npz")
    with pytest.raises(CheckpointError, match=f"no usable checkpoint in {folder}"):
        checkpoints.load_newest(folder)
    with pytest.raises(CheckpointError, match="no usable checkpoint"):
        checkpoints.load_newest(folder / "not/there")


def test_another_schema_is_refused_with_both_versions_and_left_alone(folder: Path) -> None:
    for path in folder.iterdir():
        manifest = path / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 2'))
    with pytest.raises(CheckpointError, match="schema 2, expected 1"):
        checkpoints.load_newest(folder)
    assert {path.name for path in folder.iterdir()} == {"ckpt-100", "ckpt-200", "ckpt-300"}


def test_newest_is_by_number_not_by_name(folder: Path) -> None:
    checkpoints.save(folder, checkpoint(1000))
    assert [path.name for path in checkpoints.listed(folder)][-2:] == ["ckpt-300", "ckpt-1000"]
    assert checkpoints.load_newest(folder).counters.env_steps == 1000


@pytest.mark.parametrize(
    ("selector", "env_steps"), [("last", 300), ("100", 100), ("200", 200), ("best", 150)]
)
def test_a_checkpoint_is_selected_by_name_or_steps(
    folder: Path, selector: str, env_steps: int
) -> None:
    checkpoints.save(folder, checkpoint(150), "best")
    assert checkpoints.load_selected(folder, selector).counters.env_steps == env_steps


@pytest.mark.parametrize("selector", ["best", "150", "-1", "", "latest", "ckpt-100"])
def test_an_unknown_selection_is_refused_with_what_there_is(folder: Path, selector: str) -> None:
    with pytest.raises(CheckpointError, match="expected last or one of 100, 200, 300"):
        checkpoints.load_selected(folder, selector)


def test_a_damaged_selection_is_refused_and_not_replaced_by_another(folder: Path) -> None:
    truncate(folder / "ckpt-300" / "model.npz")
    with pytest.raises(CheckpointError, match="ckpt-300"):
        checkpoints.load_selected(folder, "300")


def test_half_written_folders_are_no_checkpoints_and_go_with_the_next_pruning(
    folder: Path,
) -> None:
    for name in (".ckpt-400.tmp-123", ".best.tmp-7", ".ckpt-200.tmp-7-old"):
        shutil.copytree(folder / "ckpt-300", folder / name)
    assert checkpoints.load_newest(folder).counters.env_steps == 300
    checkpoints.prune(folder, keep=2)
    assert {path.name for path in folder.iterdir()} == {"ckpt-200", "ckpt-300"}


def go_on(folder: Path) -> None:
    checkpoints.load_newest(folder)


def clean_up(folder: Path) -> None:
    checkpoints.prune(folder, keep=3)


@pytest.mark.parametrize("restore", [go_on, clean_up])
@pytest.mark.parametrize("name", ["best", "ckpt-300"])
def test_what_a_killed_process_was_replacing_is_put_back(
    folder: Path, name: str, restore: Callable[[Path], None]
) -> None:
    checkpoints.save(folder, checkpoint(150), "best")
    before = checkpoints.load(folder / name)
    (folder / name).rename(folder / f".{name}.tmp-7-old")
    restore(folder)
    assert_equal(checkpoints.load(folder / name), before)
    assert {path.name for path in folder.iterdir()} == {"best", "ckpt-100", "ckpt-200", "ckpt-300"}


def test_pruning_keeps_the_newest_and_the_best(folder: Path) -> None:
    checkpoints.save(folder, checkpoint(100), "best")
    checkpoints.prune(folder, keep=2)
    assert {path.name for path in folder.iterdir()} == {"ckpt-200", "ckpt-300", "best"}
    checkpoints.prune(folder, keep=5)
    assert {path.name for path in folder.iterdir()} == {"ckpt-200", "ckpt-300", "best"}


def rewrite(path: Path, file: str, **arrays: np.ndarray) -> None:
    """Replaces a file of a checkpoint."""
    np.savez(path / file, **arrays)
    adopt(path, file)


class Unpickled:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.proof,)


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    path = checkpoints.save(tmp_path, checkpoint(1))
    proof = tmp_path / "executed"
    rewrite(path, "model.npz", kernel=np.array([Unpickled(proof)], object))
    with pytest.raises(CheckpointError, match="allow_pickle"):
        checkpoints.load(path)
    assert not proof.exists()
