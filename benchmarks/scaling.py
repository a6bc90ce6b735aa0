"""`python -m benchmarks.scaling`: the cost of training as the work grows, and of a start.

Environments B, steps T, the network's width, ways to compile, and precision: each point in a
process of its own, whose speed, time of the first call (tracing, compiling and one update) and
largest memory are measured. The first start finds no bytecode of Python, as after an
installation.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from a2c_tf.cli import at_least
from benchmarks import machine
from benchmarks.processes import OURS, WorkerError, started
from benchmarks.throughput_table import number, table
from benchmarks.workloads import PONG, TRAINING, Workload, cartpole, minatar

OUT = Path(__file__).parent / "results" / "scaling.json"
B, T = 32, 5
NUM_ENVS = (16, 64, 256, 1024, 4096)
UNROLL_LENGTHS = (5, 16, 32, 64, 128)
WIDTHS = (32, 128, 512, 1024)
HEADER = (
    "workload",
    "B",
    "T",
    "widths",
    "compile",
    "precision",
    "steps/s",
    "first call, s",
    "memory, MB",
)


class Point(NamedTuple):
    """The measurements of one process."""

    workload: Workload
    rates: list[float]
    first_call_seconds: float
    peak_bytes: int

    def row(self) -> tuple[str, ...]:
        workload = self.workload
        return (
            workload.name,
            str(workload.num_envs),
            str(workload.unroll_length),
            "x".join(map(str, workload.hidden)),
            workload.compile,
            workload.precision,
            number(self.rates),
            f"{self.first_call_seconds:.1f}",
            f"{self.peak_bytes / 1e6:,.0f}",
        )


class Start(NamedTuple):
    """Seconds from the start of a process to the end of its first update."""

    workload: Workload
    first: float
    second: float

    def row(self) -> tuple[str, ...]:
        return self.workload.full_name(), f"{self.first:.1f}", f"{self.second:.1f}"


def workloads() -> list[Workload]:
    """Returns every point once; Pong for its memory."""
    bases = (cartpole(B), minatar("Breakout", B))
    grown = [
        workload
        for base in bases
        for workload in (
            *(base._replace(num_envs=b) for b in NUM_ENVS),
            *(base._replace(unroll_length=t) for t in UNROLL_LENGTHS),
            *(base._replace(hidden=(width,) * len(base.hidden)) for width in WIDTHS),
            *(base._replace(num_envs=128, compile=mode) for mode in ("xla", "mixed")),
        )
    ]
    mixed = minatar("Breakout", 128)._replace(precision="mixed_bfloat16")
    return list(dict.fromkeys([*grown, mixed, mixed._replace(num_envs=512), PONG]))


def measure(workload: Workload, rounds: int) -> Point:
    """Measures one point."""
    with started(OURS, workload, (TRAINING,)) as worker:
        turns = [worker.measure(TRAINING) for _ in range(rounds)]
        rates, peak = [turn.rate for turn in turns], max(turn.peak_bytes for turn in turns)
        return Point(workload, rates, worker.first_seconds[TRAINING], peak)


def measure_start(workload: Workload) -> Start:
    """Measures a start without bytecode, and one with it."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, bytecode = [], {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(2):
            with started(OURS, workload, (TRAINING,), bytecode) as worker:
                seconds.append(worker.start_seconds[TRAINING])
    return Start(workload, *seconds)


def main() -> int:
    arguments = _parse()
    points: list[Point] = []
    failures: list[str] = []
    for workload in workloads():
        named = ", ".join(f"{name}={value}" for name, value in workload._asdict().items())
        if arguments.only.lower() not in named.lower():
            continue
        print(named, file=sys.stderr, flush=True)
        try:
            points.append(measure(workload, arguments.rounds))
        except WorkerError as error:
            failures.append(f"{named}: {error}")
    starts = [measure_start(workload) for workload in (cartpole(B), minatar("Breakout", B))]
    print(", ".join(f"{name} {value}" for name, value in machine.describe().items()))
    print(f"\n{table(HEADER, [point.row() for point in points], 1)}\n")
    header = ("process start to first update", "first start, s", "second start, s")
    print("\n".join([table(header, [start.row() for start in starts], 1), *failures]))
    _write(arguments.out, points, starts)
    return 1 if failures else 0


def _write(path: Path, points: list[Point], starts: list[Start]) -> None:
    tree: dict[str, Any] = {
        "machine": machine.describe(),
        "training": [_flat(point) for point in points],
        "start": [_flat(start) for start in starts],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tree, indent=2) + "\n")


def _flat(measured: Point | Start) -> dict[str, Any]:
    return {**measured._asdict(), "workload": measured.workload._asdict()}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--only", default="", help="points whose settings have this in them")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
