"""The lock on a run's folder: one process at a time writes there."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from a2c_tf.errors import ConfigError

if sys.platform != "win32":  # where nothing stops a second process
    import fcntl

LOCK = ".lock"
"""the locked file in a run's folder, which holds the id of the process that locked it last."""


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the folder of a run, made if it is missing, for this process alone.

    The operating system drops the lock with the process, however that ends. A folder that was made
    for the run and stays empty is removed again.

    Args:
      path: of the run's folder.

    Raises:
      ConfigError: where another process holds it, or it cannot be written.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    if (path / LOCK).exists():
        made = [path, path.parent]  # as `reserve` made them, if nothing else is in them
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"run folder {path}: {error.strerror}; name one that can be written with --run-dir"
        ) from None
    with file:
        _lock(file, path)
        try:
            yield
        finally:
            _remove_unused(path, made)


def reserve(path: Path) -> Path:
    """Makes a folder that no other process gets: at `path`, or at `path-2` and so on.

    Raises:
      ConfigError: where none can be made.
    """
    number, name = 1, path
    while True:
        try:
            name.mkdir(parents=True)
            (name / LOCK).touch()
            return name
        except FileExistsError:
            number += 1
            name = path.with_name(f"{path.name}-{number}")
        except OSError as error:
            raise ConfigError(
                f"run folder {name}: {error.strerror}; name one that can be written with --run-dir"
            ) from None


def _lock(file: TextIO, path: Path) -> None:
    """Locks the file for this process, of which no other inherits the lock."""
    if sys.platform == "win32":
        return
    try:
        # unlike flock, lockf leaves nothing to processes that are forked and live on
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        file.seek(0)
        holder = file.read().strip()
        raise ConfigError(
            f"run folder {path}: process {holder or 'unknown'} is writing to it; "
            "wait for its end or stop it, or name another folder with --run-dir"
        ) from None
    except OSError:
        return  # a file system without locks
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()


def _remove_unused(path: Path, made: list[Path]) -> None:
    if path not in made or [file.name for file in path.iterdir()] != [LOCK]:
        return
    (path / LOCK).unlink()
    for folder in made:
        with contextlib.suppress(OSError):  # another run is in it
            folder.rmdir()
