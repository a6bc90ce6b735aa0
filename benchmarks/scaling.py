"""`python -m benchmarks.scaling`: what training costs as the work grows, and what a start costs.

Environments B, steps T, the network's width, ways to compile, and precision: each point in a
process of its own, of which it gives the speed, the time of the first call (tracing, compiling and
one update) and the largest memory. The first start finds no bytecode of Python, as after an
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
from benchmarks.works import PONG, TRAINING, Work, cartpole, minatar

OUT = Path(__file__).parent / "results" / "scaling.json"
B, T = 32, 5
NUM_ENVS = (16, 64, 256, 1024, 4096)
UNROLL_LENGTHS = (5, 16, 32, 64, 128)
WIDTHS = (32, 128, 512, 1024)
HEADER = (
    "work",
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
    """What one process measured."""

    work: Work
    rates: list[float]
    first_call_seconds: float
    peak_bytes: int

    def row(self) -> tuple[str, ...]:
        work = self.work
        return (
            work.name,
            str(work.num_envs),
            str(work.unroll_length),
            "x".join(map(str, work.hidden)),
            work.compile,
            work.precision,
            number(self.rates),
            f"{self.first_call_seconds:.1f}",
            f"{self.peak_bytes / 1e6:,.0f}",
        )


class Start(NamedTuple):
    """Seconds from the start of a process to the end of its first update."""

    work: Work
    first: float
    second: float

    def row(self) -> tuple[str, ...]:
        return self.work.full_name(), f"{self.first:.1f}", f"{self.second:.1f}"


def works() -> list[Work]:
    """Every point once; Pong for its memory."""
    bases = (cartpole(B), minatar("Breakout", B))
    grown = [
        work
        for base in bases
        for work in (
            *(base._replace(num_envs=b) for b in NUM_ENVS),
            *(base._replace(unroll_length=t) for t in UNROLL_LENGTHS),
            *(base._replace(hidden=(width,) * len(base.hidden)) for width in WIDTHS),
            *(base._replace(num_envs=128, compile=mode) for mode in ("xla", "mixed")),
        )
    ]
    mixed = minatar("Breakout", 128)._replace(precision="mixed_bfloat16")
    return list(dict.fromkeys([*grown, mixed, mixed._replace(num_envs=512), PONG]))


def measure(work: Work, rounds: int) -> Point:
    with started(OURS, work, (TRAINING,)) as worker:
        turns = [worker.measure(TRAINING) for _ in range(rounds)]
        rates, peak = [turn.rate for turn in turns], max(turn.peak_bytes for turn in turns)
        return Point(work, rates, worker.first_seconds[TRAINING], peak)


def measure_start(work: Work) -> Start:
    with tempfile.TemporaryDirectory() as folder:
        seconds, bytecode = [], {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        for _ in range(2):
            with started(OURS, work, (TRAINING,), bytecode) as worker:
                seconds.append(worker.start_seconds[TRAINING])
    return Start(work, *seconds)


def main() -> int:
    arguments = _parse()
    points: list[Point] = []
    failures: list[str] = []
    for work in works():
        named = ", ".join(f"{name}={value}" for name, value in work._asdict().items())
        if arguments.only.lower() not in named.lower():
            continue
        print(named, file=sys.stderr, flush=True)
        try:
            points.append(measure(work, arguments.rounds))
        except WorkerError as error:
            failures.append(f"{named}: {error}")
    starts = [measure_start(work) for work in (cartpole(B), minatar("Breakout", B))]
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
    return {**measured._asdict(), "work": measured.work._asdict()}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--rounds", type=at_least(1), default=3)
    parser.add_argument("--only", default="", help="points whose settings have this in them")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
