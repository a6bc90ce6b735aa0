"""Files and folders that are written whole or not at all, whatever stops their writing."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def write_text(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old one or the new one, never a part."""
    with replacing(path) as temporary, synced(temporary) as file:
        file.write(text.encode())
    sync_folder(path.parent)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a name to write to in place of `path`, of the same ending, and renames it at the end.

    On an error the file at `path` stays as it was.
    """
    temporary = path.with_name(f".{path.stem}.tmp-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def synced(path: Path) -> Iterator[BinaryIO]:
    """Yields a new file to write to, which is on the disk when it is closed."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder survive a power cut, where the system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_folder(temporary: Path, final: Path) -> None:
    """Renames a folder; the one it replaces is deleted under another name, never in place.

    Args:
      temporary: `.<name of final>.tmp-<number of the process>`, beside `final`.
      final: the new name of `temporary`.

    Raises:
      OSError: where it cannot be renamed; the folder at `final` then stays.
    """
    restore_replaced(final.parent, glob.escape(final.name))
    old = temporary.with_name(f"{temporary.name}-old")
    if final.exists():
        final.rename(old)
    try:
        temporary.rename(final)
    except OSError:
        if old.exists():
            old.rename(final)
        raise
    sync_folder(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def restore_replaced(folder: Path, name: str) -> None:
    """Restores the folder that a killed process was replacing, or deletes it if replaced already.

    Args:
      folder: holds the folder that was being replaced.
      name: its name, or a pattern.
    """
    for old in folder.glob(f".{name}.tmp-*-old"):
        final = old.with_name(old.name[1:].rpartition(".tmp-")[0])
        if final.exists():
            shutil.rmtree(old)
        else:
            old.rename(final)
