"""The lock on a run's folder: held by one process, dropped with it however it ends."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from a2c_tf.errors import ConfigError
from a2c_tf.runs import run_dir
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.runs.run_lock import LOCK, locked

HOLD = """
import multiprocessing, sys, time
from pathlib import Path
from a2c_tf.runs.run_lock import LOCK, locked

with locked(Path(sys.argv[1])):
    # a worker of environments, which lives on when its parent is killed
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    worker.start()
    print(worker.pid, flush=True)
    time.sleep(300)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds `tmp_path / "run"`, with a forked one that it leaves behind."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        subprocess.run(["kill", "-KILL", str(worker)], check=True)


@pytest.mark.process
def test_a_second_process_is_refused_by_name_until_the_first_was_killed(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with (
        pytest.raises(ConfigError, match=f"run: process {holder.pid} is writing to it; wait"),
        locked(tmp_path / "run"),
    ):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with locked(tmp_path / "run"):
        (tmp_path / "run" / "config.yaml").touch()


@pytest.mark.process
def test_a_run_that_another_process_trains_is_not_resumed(
    tmp_path: Path,
    finished_run: RunDir,
    command: Callable[..., Any],
    holder: subprocess.Popen[str],
) -> None:
    ignore = shutil.ignore_patterns(LOCK)
    shutil.copytree(finished_run.path, tmp_path / "run", ignore=ignore, dirs_exist_ok=True)
    outcome = command("a2c_tf.train", "--resume", "--run-dir", tmp_path / "run")
    assert outcome.code == 2
    assert f"process {holder.pid} is writing to it" in outcome.mistake


def test_a_folder_in_which_nothing_was_written_is_removed_with_those_above(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path / "made" / "run"):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_a_folder_that_was_there_or_was_written_to_stays(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with locked(tmp_path / "empty"):
        pass
    with locked(tmp_path / "run"):
        (tmp_path / "run" / "config.yaml").touch()
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "run"}


def test_a_folder_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^run folder .* --run-dir$"), locked(Path("/sys/a2c")):
        pass


def test_runs_of_the_same_second_get_a_folder_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_dir.time, "strftime", lambda _: "20260101-000000")
    paths = [run_dir.default_path("cartpole", 0) for _ in range(3)]
    assert [path.name.removeprefix("cartpole-0-20260101-000000") for path in paths] == [
        "",
        "-2",
        "-3",
    ]
    for path in paths:
        run_dir.check_free(path, overwrite=False)
        with locked(path):
            pass
    assert not any(path.exists() for path in paths)


def test_a_default_folder_that_cannot_be_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(ConfigError, match=r"run folder runs/cartpole-0-.*: Not a directory; name"):
        run_dir.default_path("cartpole", 0)
