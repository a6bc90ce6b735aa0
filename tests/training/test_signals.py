"""Signals: a run that is told to stop saves, says how to go on, and goes on."""

from __future__ import annotations

import contextlib
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support import ROOT

from a2c_tf import cli
from a2c_tf.runs import checkpoints, run_dir
from a2c_tf.runs.run_dir import RunDir

pytestmark = [pytest.mark.process, pytest.mark.training]

Command = Callable[..., Any]

SECONDS = 120  # a bound against hanging, not a measurement
LASTING = (
    "cartpole",
    "env.num_envs=1",
    "a2c.unroll_length=1",
    "network.hidden=[8]",
    "run.compile=mixed",
    "run.updates_per_call=1",
    "run.log_every=100",
    "run.total_steps=1e9",
    "run.eval_episodes=2",
    "run.export=false",
)


def python(*arguments: str | Path) -> subprocess.Popen[str]:
    """A process at the head of a group of its own."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


class Stopped(NamedTuple):
    """A run that a signal stopped."""

    folder: RunDir
    code: int
    out: str
    err: str

    @property
    def saved(self) -> Path:
        """Its only checkpoint."""
        (path,) = checkpoints.listed(self.folder.checkpoints)
        return path


def stop_while_training(path: Path, number: signal.Signals, *settings: str) -> Stopped:
    """Starts a run without end, and sends it and its processes a signal after its first row."""
    folder = RunDir(path)
    process = python("-m", "a2c_tf.train", *LASTING, *settings, "--run-dir", path)
    deadline = time.monotonic() + SECONDS
    try:
        while not run_dir.read_metrics(folder.metrics):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "no row was written"
            time.sleep(0.05)
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return Stopped(folder, process.returncode, out, err)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_run_that_is_ended_saves_and_asks_to_be_started_again(
    tmp_path: Path, number: signal.Signals
) -> None:
    stopped = stop_while_training(tmp_path / "run", number)
    assert stopped.code == 75
    assert f"saved {stopped.saved}; resume with " in stopped.out
    assert "Traceback" not in stopped.err
    assert checkpoints.load(stopped.saved).counters.env_steps >= 100


@pytest.mark.parametrize(("name", "code"), [("TERM", 75), ("INT", 130), ("HUP", 75)])
def test_processes_of_environments_live_until_the_run_is_saved(
    tmp_path: Path, name: str, code: int
) -> None:
    settings = ("env.backend=gymnasium", "env.vectorization=async")
    stopped = stop_while_training(tmp_path / "run", signal.Signals[f"SIG{name}"], *settings)
    assert stopped.code == code, stopped.err
    assert f"saved {stopped.saved}; resume with " in stopped.out
    # SIGHUP ends Python's own resource tracker, too, which says so where it is started again
    assert "Traceback" not in stopped.err or name == "HUP"


IN_A_TERMINAL = """
import fcntl, os, sys, termios

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_a_terminal_that_closes_costs_no_training(tmp_path: Path) -> None:
    """It sends SIGHUP, and nothing can be written to it any more."""
    folder = RunDir(tmp_path / "run")
    terminal, ours = pty.openpty()
    command = ["-m", "a2c_tf.train", *LASTING, "--run-dir", str(folder.path)]
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, *command],
        cwd=ROOT,
        stdin=ours,
        stdout=ours,
        stderr=ours,
        start_new_session=True,
    )
    os.close(ours)
    deadline = time.monotonic() + SECONDS
    os.set_blocking(terminal, False)
    try:
        while not run_dir.read_metrics(folder.metrics):
            with contextlib.suppress(BlockingIOError):
                os.read(terminal, 100_000)  # a full terminal would hold up the run
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.close(terminal)
        assert process.wait(SECONDS) == 75
    finally:
        process.kill()
    assert checkpoints.load_newest(folder.checkpoints).counters.env_steps >= 100


def test_a_signal_in_the_final_evaluation_stops_it(tmp_path: Path) -> None:
    """The run is saved, and is to be started again for what is missing."""
    folder = RunDir(tmp_path / "run")
    settings = ("run.total_steps=200", "run.eval_episodes=1000000")
    process = python("-m", "a2c_tf.train", *LASTING, *settings, "--run-dir", folder.path)
    deadline = time.monotonic() + SECONDS
    while not (folder.checkpoints.is_dir() and checkpoints.listed(folder.checkpoints)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 75, err
    assert "resume with " in out and not folder.evaluation.exists()


def test_sigint_saves_and_the_printed_command_goes_on(tmp_path: Path) -> None:
    stopped = stop_while_training(tmp_path / "run", signal.SIGINT)
    assert stopped.code == 130
    assert "Traceback" not in stopped.err
    steps = checkpoints.load(stopped.saved).counters.env_steps
    said, resume = stopped.out.splitlines()[-1].split("; resume with ")
    assert said == f"saved {stopped.saved}"

    interpreter, *arguments = shlex.split(resume)
    assert interpreter == "python"
    process = python(*arguments, f"run.total_steps={steps + 200}", "run.export=true")
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert f"resuming at step {steps:,} of {steps + 200:,}" in out
    assert stopped.folder.evaluation.is_file()
    assert (stopped.folder.export / "policy.onnx").is_file()
    newest = checkpoints.load_newest(stopped.folder.checkpoints)
    assert newest.counters.env_steps == steps + 200


def test_a_signal_before_the_first_update_saves_the_start(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = [signal.SIGTERM]
    monkeypatch.setattr(
        cli, "import_tensorflow", lambda: signals and signal.raise_signal(signals.pop())
    )
    outcome = command("a2c_tf.train", "cartpole", "--run-dir", tmp_path / "run")
    assert (outcome.code, outcome.err) == (75, "")
    assert f"saved {tmp_path / 'run' / 'checkpoints' / 'ckpt-0'}; resume with " in outcome.out


TWICE = """
import signal
from a2c_tf.training.interrupt import Interrupt

with Interrupt() as interrupt:
    assert not interrupt()
    signal.raise_signal(signal.SIG{name})
    assert interrupt()
    print("saving", flush=True)
    signal.raise_signal(signal.SIG{name})
    print("never reached", flush=True)
"""


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_second_signal_ends_at_once(name: str) -> None:
    process = python("-c", TWICE.format(name=name))
    out, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (-signal.Signals[f"SIG{name}"], "saving\n")
