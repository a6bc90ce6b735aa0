"""The checkpoints of a run: how they are saved, selected, pruned and restored.

Each is written under a temporary name, synced, and renamed: under its final name it is whole.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from a2c_tf.errors import CommandError, ExitCode
from a2c_tf.runs import checkpoint_files
from a2c_tf.runs.atomic_files import replace_folder, restore_replaced
from a2c_tf.runs.checkpoint_files import Arrays, Checkpoint, CheckpointError, DamagedError

NAME = re.compile(r"ckpt-(\d+)")

log = logging.getLogger(__name__)


class AccessError(CommandError):
    """The system does not let a checkpoint, which may be whole, be read or renamed."""

    exit_code = ExitCode.NO_CHECKPOINT


def save(folder: Path, checkpoint: Checkpoint, name: str | None = None) -> Path:
    """Writes a checkpoint as a new folder.

    Args:
      folder: holds the checkpoints of the run.
      checkpoint: its content.
      name: of the new folder; None: `ckpt-<env_steps>`.

    Returns:
      The path of the new folder.

    Raises:
      OSError: where it cannot be written; a checkpoint of that name then stays.
    """
    final = folder / (name or f"ckpt-{checkpoint.counters.env_steps}")
    temporary = folder / f".{final.name}.tmp-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        checkpoint_files.write(temporary, checkpoint)
        replace_folder(temporary, final)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return final


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint after checking each file against the manifest.

    Raises:
      DamagedError: where anything is missing or differs.
      AccessError: where it cannot be read.
      CheckpointError: where another version wrote it.
    """
    with _accessing(f"checkpoint {path}"):
        return checkpoint_files.read(path)


def load_newest(folder: Path) -> Checkpoint:
    """Returns the newest checkpoint that is whole, to go on from, and sets damaged ones aside.

    A folder that a killed process was replacing is restored first.

    Raises:
      CheckpointError: where there is none, or the newest is another version's.
      AccessError: where one cannot be read, or set aside.
    """
    with _accessing(f"checkpoints in {folder}"):
        restore_replaced(folder, "*")
        return _newest_whole(folder, setting_aside=True)


def load_selected(folder: Path, selector: str) -> Checkpoint:
    """Returns the checkpoint that `best`, `last` or a number of environment steps selects.

    Raises:
      CheckpointError: where there is no such checkpoint, or it is damaged.
      AccessError: where it cannot be read.
    """
    with _accessing(f"checkpoints in {folder}"):
        if selector == "last":
            return _newest_whole(folder, setting_aside=False)
        path = folder / (selector if selector == "best" else f"ckpt-{selector}")
        if path.is_dir():
            return load(path)
        known = ["best"] * (folder / "best").is_dir() + [p.name[5:] for p in listed(folder)]
    expected = f"last or one of {', '.join(known)}" if known else "a run that saved a checkpoint"
    raise CheckpointError(f"checkpoint {selector!r}: not in {folder}; expected {expected}")


def listed(folder: Path) -> list[Path]:
    """Returns the paths of a run's checkpoints, oldest first."""
    try:
        paths = list(folder.iterdir())  # by glob, one that may not be read would seem empty
    except FileNotFoundError:
        paths = []
    found = [path for path in paths if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name.removeprefix("ckpt-")))


def prune(folder: Path, keep: int) -> None:
    """Deletes all but the `keep` newest, and what a killed process left half-written.

    A folder that such a process was replacing is restored.
    """
    restore_replaced(folder, "*")
    for path in listed(folder)[:-keep]:
        shutil.rmtree(path)
    for path in folder.glob(".*.tmp-*"):
        shutil.rmtree(path)


def named(variables: Sequence[Any]) -> Arrays:
    """Returns the values of Keras variables by their paths."""
    return {variable.path: np.asarray(variable) for variable in variables}


def restore(variables: Sequence[Any], arrays: Arrays) -> None:
    """Assigns the values to the variables of the same paths.

    Raises:
      CheckpointError: where names or shapes differ.
    """
    wanted = {variable.path: tuple(variable.shape) for variable in variables}
    stored = {name: array.shape for name, array in arrays.items()}
    if wanted != stored:
        name = sorted(set(wanted.items()) ^ set(stored.items()))[0][0]
        raise CheckpointError(
            f"checkpoint does not fit the network: {name} is {stored.get(name, 'absent')} there "
            f"and {wanted.get(name, 'absent')} here; use the config it was trained with"
        )
    for variable in variables:
        variable.assign(arrays[variable.path])


@contextlib.contextmanager
def _accessing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AccessError(
            f"{what}: no access ({error.strerror or error}); fix this, then start again"
        ) from None


def _newest_whole(folder: Path, setting_aside: bool) -> Checkpoint:
    for path in reversed(listed(folder)):
        try:
            return load(path)
        except DamagedError as error:
            aside = f"set aside as {_set_aside(path)}, " if setting_aside else ""
            log.warning("%s; %susing the one before", error, aside)
    raise CheckpointError(
        f"no usable checkpoint in {folder}; train with --overwrite to start again"
    )


def _set_aside(path: Path) -> str:
    """Renames a damaged checkpoint so that it is no longer listed, and returns its new name."""
    aside = path.with_name(f"{path.name}.corrupt")
    shutil.rmtree(aside, ignore_errors=True)
    return path.rename(aside).name
