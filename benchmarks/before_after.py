"""`python -m benchmarks.before_after CHECKOUT`: another checkout's speed and ours, in turns.

Each side is a process of its own, started in its checkout by this interpreter; they take turns of
1.5 s, and alternate in who is first. The mean of the pairs' ratios cancels what the machine does
meanwhile.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from a2c_tf.cli import at_least
from benchmarks.processes import OURS, ROOT, Worker, WorkerError, started
from benchmarks.workloads import KINDS, TRAINING, WORKLOADS, Workload

Pair = tuple[float, float]
"""steps a second of the other checkout, and of this one."""


def measure(workers: Sequence[Worker], kind: str, pairs: int) -> list[Pair]:
    """Lets both sides take turns.

    Args:
      workers: of the other checkout, and of this one.
      kind: what is measured.
      pairs: of turns.

    Returns:
      The speeds of each pair.
    """
    measured = []
    for number in range(pairs):
        rates = {}
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            rates[side] = workers[side].measure(kind).rate
        measured.append((rates[0], rates[1]))
    return measured


def described(workload: Workload, pairs: Sequence[Pair]) -> str:
    """Returns a line with the medians, and the mean and spread of the ratios."""
    before, after = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = [ours / other for other, ours in pairs]
    return (
        f"{workload.full_name():20} {before:>12,.0f} before {after:>12,.0f} after  "
        f"after/before {statistics.mean(ratios):.3f} "
        f"(sd {statistics.stdev(ratios):.3f}, {len(pairs)} pairs)"
    )


def main() -> int:
    arguments = _parse()
    workloads = [w for w in WORKLOADS if arguments.only.lower() in w.full_name().lower()]
    if not workloads or not (arguments.checkout / "benchmarks" / "workers").is_dir():
        names = "; ".join(workload.full_name() for workload in WORKLOADS)
        problem = f"--only {arguments.only}: expected part of one of {names}"
        if workloads:
            problem = f"{arguments.checkout}: no checkout of a2c_tf; expected its folder"
        print(f"error: {problem}", file=sys.stderr)
        return 2
    for workload in workloads:
        try:
            with (
                started(OURS, workload, [arguments.kind], root=arguments.checkout) as before,
                started(OURS, workload, [arguments.kind], root=ROOT) as after,
            ):
                pairs = measure((before, after), arguments.kind, arguments.pairs)
                print(described(workload, pairs), flush=True)
        except WorkerError as error:
            print(f"error: {workload.full_name()}: {error}", file=sys.stderr)
            return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.before_after", description=__doc__)
    parser.add_argument("checkout", type=Path, help="the other version's folder (git worktree add)")
    parser.add_argument("--only", default="", help="workloads whose name has this in it")
    parser.add_argument("--kind", default=TRAINING, choices=KINDS)
    parser.add_argument("--pairs", type=at_least(2), default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
