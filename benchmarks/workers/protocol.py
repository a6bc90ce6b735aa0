"""A worker's side: it builds one workload, warms it up, and measures whenever its parent asks.

It is started with the workload and the kinds as JSON, writes a line of JSON once it is ready, and
then a line for every line that it reads. It sleeps in between, so that workers can take turns.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.workloads import Workload

SECONDS = 1.5
"""that a measurement should take."""
LONGEST_WARM_UP = 0.3
"""seconds of a trial that are enough to choose the size of a measurement."""

Run = Callable[[int], int]
"""(how much to do) -> environment steps taken, or floating-point operations done."""


class Built(NamedTuple):
    """A workload as one library runs it."""

    makers: dict[str, Callable[[], Run]]
    """by kind, each called only where the kind is asked for."""
    about: dict[str, Any]
    """versions, threads and the like."""


class Measurement(NamedTuple):
    """One turn."""

    amount: int
    seconds: float
    peak_bytes: int
    """of memory, since the process started."""

    @property
    def rate(self) -> float:
        return self.amount / self.seconds


def serve(build: Callable[[Workload], Built]) -> int:
    """Runs a worker until its parent closes the pipe."""
    replies = _private_stdout()
    request = json.loads(sys.argv[1])
    workload = Workload(**{**request["workload"], "hidden": tuple(request["workload"]["hidden"])})
    built = build(workload)
    runs = {kind: built.makers[kind]() for kind in request["kinds"]}
    for kind, run in runs.items():
        _write(replies, {"first": kind, "seconds": _seconds(run, 1)})
    sizes = {kind: _size(run) for kind, run in runs.items()}
    _write(replies, {"ready": built.about})
    for line in sys.stdin:
        kind = line.strip()
        _write(replies, _measure(runs[kind], sizes[kind])._asdict())
    return 0


def _private_stdout() -> int:
    """Sends what the libraries print to stderr, and returns the real stdout."""
    replies = os.dup(1)
    os.dup2(2, 1)
    return replies


def _write(replies: int, message: dict[str, Any]) -> None:
    os.write(replies, (json.dumps(message) + "\n").encode())


def _size(run: Run) -> int:
    """How much to do for a measurement of about `SECONDS`."""
    size = 1
    while (taken := _seconds(run, size)) < LONGEST_WARM_UP:
        size *= 2
    return max(1, round(size * SECONDS / taken))


def _measure(run: Run, size: int) -> Measurement:
    start = time.perf_counter()
    amount = run(size)
    seconds = time.perf_counter() - start
    return Measurement(amount, seconds, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _seconds(run: Run, size: int) -> float:
    start = time.perf_counter()
    run(size)
    return time.perf_counter() - start
