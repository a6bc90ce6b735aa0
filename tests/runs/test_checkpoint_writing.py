"""A checkpoint is under its final name as a whole or not at all, whatever stops its writing."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from a2c_tf.runs import checkpoints
from a2c_tf.runs.checkpoint_files import Checkpoint
from a2c_tf.types import Counters

SYSTEM_CALLS = ("fsync", "mkdir", "rename", "rmdir", "unlink")


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


def no_space() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def checkpoint(env_steps: int) -> Checkpoint:
    weights = {"kernel": np.full(1000, env_steps, np.float32)}
    return Checkpoint(Counters(env_steps), weights, {"velocity": weights["kernel"]}, {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds `ckpt-100` and `best`, both of step 100."""
    checkpoints.save(tmp_path, checkpoint(100))
    checkpoints.save(tmp_path, checkpoint(100), "best")
    return tmp_path


def interrupted_saves(
    folder: Path, name: str | None, error: Callable[[], BaseException]
) -> Iterator[int]:
    """Saves step 200 again and again, stopped at its first system call, its second, ..."""
    for point in range(100):
        with pytest.MonkeyPatch.context() as patch:
            calls = _fail_at(patch, point, error)
            with contextlib.suppress(OSError, Killed):
                checkpoints.save(folder, checkpoint(200), name)
        if len(calls) <= point:  # it was not reached any more
            return
        yield point
    raise AssertionError("saving never came to its end")


def _fail_at(
    patch: pytest.MonkeyPatch, point: int, error: Callable[[], BaseException]
) -> list[str]:
    calls: list[str] = []

    def wrap(name: str) -> Callable[..., Any]:
        original = getattr(os, name)

        def call(*arguments: Any, **keywords: Any) -> Any:
            calls.append(name)
            if len(calls) == point + 1:
                raise error()
            return original(*arguments, **keywords)

        return call

    for name in SYSTEM_CALLS:
        patch.setattr(os, name, wrap(name))
    return calls


def final_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("error", [no_space, Killed])
def test_a_save_that_is_stopped_anywhere_leaves_only_whole_checkpoints(
    folder: Path, error: Callable[[], BaseException]
) -> None:
    points = 0
    for points in interrupted_saves(folder, None, error):  # noqa: B007, its last value counts
        for name in final_names(folder):
            checkpoints.load(folder / name)
        assert checkpoints.load_newest(folder).counters.env_steps in (100, 200)
        assert checkpoints.load_selected(folder, "100").counters.env_steps == 100
    assert points >= 8  # 6 synced files and folders, a folder made, a rename
    checkpoints.save(folder, checkpoint(200))
    checkpoints.prune(folder, keep=2)
    assert sorted(path.name for path in folder.iterdir()) == ["best", "ckpt-100", "ckpt-200"]


@pytest.mark.parametrize("error", [no_space, Killed])
def test_replacing_the_best_anywhere_stopped_never_loses_it_nor_leaves_a_part(
    folder: Path, error: Callable[[], BaseException]
) -> None:
    for _ in interrupted_saves(folder, "best", error):
        if error is Killed:
            checkpoints.prune(folder, keep=1)
        assert final_names(folder) == ["best", "ckpt-100"]
        assert checkpoints.load(folder / "best").counters.env_steps in (100, 200)
    assert checkpoints.load(folder / "best").counters.env_steps == 200


def test_a_full_disk_is_left_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail_at(monkeypatch, 3, no_space)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(folder, checkpoint(200))
    monkeypatch.undo()
    assert sorted(path.name for path in folder.iterdir()) == ["best", "ckpt-100"]


SAVE_FOR_EVER = """
import itertools, os, sys
from pathlib import Path
import numpy as np
from a2c_tf.runs.checkpoint_files import Checkpoint
from a2c_tf.runs.checkpoints import prune, save
from a2c_tf.types import Counters

def save_for_ever(folder, start):
    for i in itertools.count(start):
        arrays = {"kernel": np.full(100_000, i, np.float32)}
        save(folder, Checkpoint(Counters(i), arrays, arrays, arrays))
        prune(folder, keep=2)
        print(i, flush=True)

for start in sys.stdin:
    if child := os.fork():
        os.waitpid(child, 0)
        print("killed", flush=True)
    else:
        print(os.getpid(), flush=True)
        save_for_ever(Path(sys.argv[1]), int(start))
"""


@pytest.mark.process
def test_a_killed_process_loses_no_checkpoint_that_was_finished(tmp_path: Path) -> None:
    start = 1
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_FOR_EVER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        for kill_after in (1, 2, 3, 5, 8):
            finished = _save_until_killed(parent, start, kill_after)
            newest = checkpoints.load_newest(tmp_path)
            assert newest.counters.env_steps >= finished
            assert newest.model["kernel"][0] == newest.counters.env_steps
            start = newest.counters.env_steps + 1
    assert parent.returncode == 0


def _save_until_killed(parent: subprocess.Popen[str], start: int, saves: int) -> int:
    """Kills a child in the middle of a save and returns the last one that it finished."""
    assert parent.stdin is not None and parent.stdout is not None
    print(start, file=parent.stdin, flush=True)
    child = int(parent.stdout.readline())
    finished = [int(parent.stdout.readline()) for _ in range(saves)]
    os.kill(child, signal.SIGKILL)
    finished += [int(line) for line in iter(parent.stdout.readline, "killed\n")]
    return finished[-1]
