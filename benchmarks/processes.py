"""The parent's side of `benchmarks.workers.protocol`: starts workers and uses them in turn."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from benchmarks.workers.protocol import Measurement
from benchmarks.workloads import ACTING, KINDS, STEPPING, TRAINING, Workload

ROOT = Path(__file__).resolve().parent.parent


class Library(NamedTuple):
    """A library whose speed is measured, or a part of one."""

    name: str
    module: str
    python: Path
    kinds: Sequence[str] = KINDS
    changes: Mapping[str, Any] = {}
    """of the workload, before it is measured."""
    takes: Callable[[Workload], bool] = lambda workload: True
    """whether it has the workload."""


_PEERS, _JAX = ROOT / ".venv-peers/bin/python", ROOT / ".venv-jax/bin/python"
_OURS, _LIMITS = "benchmarks.workers.ours", "benchmarks.workers.limits"
_HERE = Path(sys.executable)

OURS = Library("a2c_tf", _OURS, _HERE)
OURS_BFLOAT16 = Library(
    "a2c_tf, bfloat16",
    _OURS,
    _HERE,
    changes={"precision": "mixed_bfloat16"},
    takes=lambda workload: workload.is_convolutional,
)
LIMITS = Library("limits", _LIMITS, _HERE)
PEERS = (
    Library("Stable-Baselines3", "benchmarks.workers.sb3", _PEERS),
    Library(
        "JAX",
        "benchmarks.workers.jax_a2c",
        _JAX,
        takes=lambda workload: workload.gymnax_id is not None,
    ),
    Library(
        "JAX, lax.conv",
        "benchmarks.workers.jax_a2c",
        _JAX,
        kinds=(ACTING, TRAINING),
        changes={"convolution": "lax"},
        takes=lambda workload: workload.is_convolutional and workload.gymnax_id is not None,
    ),
)
NETWORK = Library("network alone", _OURS, _HERE, (ACTING, TRAINING), {"has_game": False})
"""Our acting and training with nothing in the place of the game."""
EMULATOR = Library(
    "emulator alone", _LIMITS, _HERE, (STEPPING,), takes=lambda workload: workload.is_atari
)
"""The bare loop of ale-py's vector environment."""
PARTS = (NETWORK, EMULATOR)


class WorkerError(Exception):
    """A worker ended; the message is the last line that it wrote to stderr."""


class Worker:
    """A process that measures one workload, and sleeps between measurements."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        self._process = process
        self._errors = errors
        self.first_seconds: dict[str, float] = {}
        """of the first call of each kind, which traces and compiles."""
        self.start_seconds: dict[str, float] = {}
        """from the start of the process to the end of the first call of each kind."""
        self.about: dict[str, Any] = {}

    def wait_until_ready(self) -> None:
        """Waits for the first calls; raises WorkerError where the process ended."""
        started = time.perf_counter()
        while "ready" not in (message := self._read()):
            self.first_seconds[message["first"]] = message["seconds"]
            self.start_seconds[message["first"]] = time.perf_counter() - started
        self.about = message["ready"]

    def measure(self, kind: str) -> Measurement:
        """Measures one turn; raises WorkerError where the process ended."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # `_read` finds out why
            self._process.stdin.write(f"{kind}\n")
            self._process.stdin.flush()
        return Measurement(**self._read())

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return json.loads(line)
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().splitlines()
        raise WorkerError(lines[-1] if lines else f"exit {status}")


@contextlib.contextmanager
def started(
    library: Library,
    workload: Workload,
    kinds: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    root: Path = ROOT,
) -> Iterator[Worker]:
    """Yields a worker that is ready; it has nothing to save and is killed in the end.

    Args:
      library: which is measured.
      workload: what it does.
      kinds: those to be measured; None: all of the library's.
      environment: variables of the process.
      root: the checkout whose code is measured.

    Raises:
      WorkerError: where the process ended before.
    """
    changed = workload._replace(**library.changes)
    request = json.dumps({"workload": changed._asdict(), "kinds": kinds or library.kinds})
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [library.python, "-m", library.module, request],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=root,
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        try:
            worker = Worker(process, errors)
            worker.wait_until_ready()
            yield worker
        finally:
            process.kill()
