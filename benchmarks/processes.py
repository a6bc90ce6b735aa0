"""The parent's side of `benchmarks.workers.protocol`: starts workers and asks them in turn."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from benchmarks.workers.protocol import Measurement
from benchmarks.works import Work

ROOT = Path(__file__).resolve().parent.parent


class Library(NamedTuple):
    """One whose speed is measured."""

    name: str
    module: str
    python: Path


OURS = Library("a2c_tf", "benchmarks.workers.ours", Path(sys.executable))
LIMITS = Library("limits", "benchmarks.workers.limits", Path(sys.executable))
PEERS = (
    Library("Stable-Baselines3", "benchmarks.workers.sb3", ROOT / ".venv-peers/bin/python"),
    Library("JAX", "benchmarks.workers.jax_a2c", ROOT / ".venv-jax/bin/python"),
)


class WorkerError(Exception):
    """A worker ended; the message is the last line that it wrote to stderr."""


class Worker:
    """A process that measures one work, and sleeps until it is asked to."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        self._process = process
        self._errors = errors
        self.first_seconds: dict[str, float] = {}
        """of the first call of each kind, which traces and compiles."""
        self.start_seconds: dict[str, float] = {}
        """from the start of the process to the end of the first call of each kind."""
        self.about: dict[str, Any] = {}

    def wait_until_ready(self) -> None:
        """Raises WorkerError where the process ended."""
        started = time.perf_counter()
        while "ready" not in (message := self._read()):
            self.first_seconds[message["first"]] = message["seconds"]
            self.start_seconds[message["first"]] = time.perf_counter() - started
        self.about = message["ready"]

    def measure(self, kind: str) -> Measurement:
        """One turn; raises WorkerError where the process ended."""
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
    work: Work,
    kinds: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> Iterator[Worker]:
    """A worker that is ready; it has nothing to save and is killed in the end.

    Raises:
      WorkerError: where the process ended before.
    """
    request = json.dumps({"work": work._asdict(), "kinds": kinds})
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [library.python, "-m", library.module, request],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        try:
            worker = Worker(process, errors)
            worker.wait_until_ready()
            yield worker
        finally:
            process.kill()
