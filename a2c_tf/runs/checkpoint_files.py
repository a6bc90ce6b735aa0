"""The content of a checkpoint, and its folder: arrays, and a manifest with their SHA-256."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from a2c_tf.errors import CommandError, ExitCode
from a2c_tf.runs.atomic_files import sync_folder, synced
from a2c_tf.types import Counters

SCHEMA = 1
MANIFEST, MODEL, OPTIMIZER, UNROLL = "manifest.json", "model.npz", "optimizer.npz", "unroll.npz"
NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
NOT_PARSED = (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)

Arrays = Mapping[str, np.ndarray]


class CheckpointError(CommandError):
    """There is no checkpoint that could be used."""

    exit_code = ExitCode.NO_CHECKPOINT


class DamagedError(CheckpointError):
    """A checkpoint differs from the one that was written."""


class Checkpoint(NamedTuple):
    """Everything that a run needs to go on."""

    counters: Counters
    model: Arrays
    """the weights by name."""
    optimizer: Arrays
    """slots and iteration by name, and the scale of rewards where there is one."""
    unroll: Arrays
    """environments and random numbers; empty where the environment cannot be saved, so that a
    resumed run starts new episodes and equals the uninterrupted one in distribution only."""
    best_return: float | None = None
    """mean return of the best evaluation so far."""


def write(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes a new folder that survives a power cut once this returns."""
    folder.mkdir(parents=True)
    files = {
        file: _write_arrays(folder / file, arrays)
        for file, arrays in _array_files(checkpoint).items()
    }
    manifest = {
        "schema": SCHEMA,
        "counters": checkpoint.counters._asdict(),
        "best_return": checkpoint.best_return,
        "resume": "exact" if checkpoint.unroll else "statistical",
        "sha256": files,
    }
    with synced(folder / MANIFEST) as file:
        file.write(json.dumps(manifest, indent=2).encode())
    sync_folder(folder)


def _array_files(checkpoint: Checkpoint) -> dict[str, Arrays]:
    return {
        MODEL: checkpoint.model,
        OPTIMIZER: checkpoint.optimizer,
        UNROLL: checkpoint.unroll,
    }


def read(path: Path) -> Checkpoint:
    """Reads the folder after checking each file against the manifest.

    Raises:
      DamagedError: where anything is missing or differs.
      CheckpointError: where another version wrote it.
      OSError: where a file that is there cannot be read.
    """
    try:
        return _read(path)
    except (*NO_FILE, *NOT_PARSED) as error:
        raise DamagedError(f"checkpoint {path}: damaged ({error})") from None


def _read(path: Path) -> Checkpoint:
    manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    if manifest["schema"] != SCHEMA:
        raise CheckpointError(
            f"checkpoint {path}: schema {manifest['schema']}, expected {SCHEMA}; "
            "use the version of a2c_tf that wrote it"
        )
    for file in (MODEL, OPTIMIZER, UNROLL):
        _verify(path / file, manifest["sha256"][file])
    return Checkpoint(
        counters=Counters(**manifest["counters"]),
        model=_read_arrays(path / MODEL),
        optimizer=_read_arrays(path / OPTIMIZER),
        unroll=_read_arrays(path / UNROLL),
        best_return=manifest["best_return"],
    )


def _write_arrays(path: Path, arrays: Arrays) -> str:
    """Writes an npz file and returns its SHA-256."""
    with synced(path) as file:
        np.savez(file, allow_pickle=False, **arrays)
    return _sha256(path)


def _read_arrays(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _verify(path: Path, expected: str) -> None:
    if _sha256(path) != expected:
        raise DamagedError(f"checkpoint {path.parent}: {path.name} differs from its SHA-256")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
