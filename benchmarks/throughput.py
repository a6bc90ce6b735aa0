"""`python -m benchmarks.throughput`: environment steps a second, ours and those of the peers.

CartPole, MinAtar's games and Pong: stepping alone, with acting, and with training. Every library
works in a process of its own, and they take turns: each measures everything once a round. Beside
them stands what the machine could do: environments at their speed alone, and the network alone or
its operations at the speed of a matrix product. `make peers` makes the environments of the peers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from a2c_tf.cli import at_least
from benchmarks import machine, throughput_chart, throughput_table
from benchmarks.processes import (
    LIMITS,
    OURS,
    OURS_BFLOAT16,
    PARTS,
    PEERS,
    Library,
    Worker,
    WorkerError,
    started,
)
from benchmarks.results import Limits, Results, WorkloadResult, from_json
from benchmarks.workloads import BFLOAT16, FLOAT32, KINDS, PONG, WORKLOADS, Workload

OUT = Path(__file__).parent / "results" / "throughput.json"


def main() -> int:
    arguments = _parse()
    libraries, notes = _libraries(arguments.peers)
    workloads = [
        workload for workload in WORKLOADS if arguments.only.lower() in workload.full_name().lower()
    ]
    if not workloads:
        names = "; ".join(workload.full_name() for workload in WORKLOADS)
        print(f"error: --only {arguments.only}: expected part of one of {names}", file=sys.stderr)
        return 2
    results = Results(
        machine.describe(),
        notes,
        measure_limits(arguments.rounds),
        [measure(workload, libraries, arguments.rounds) for workload in workloads],
    )
    if arguments.only and arguments.out.exists():
        results = _updated(from_json(json.loads(arguments.out.read_text())), results)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(results.as_json(), indent=2) + "\n")
    throughput_chart.draw(results, arguments.out.with_suffix(".png"))
    print(throughput_table.text(results))
    return 0


def _updated(before: Results, results: Results) -> Results:
    """Adds the other workloads of a file that this machine wrote."""
    if before.machine == results.machine:
        return results.updating(before)
    _tell(f"starting a new file: the old one is of {before.machine}")
    return results


def measure(workload: Workload, libraries: list[Library], rounds: int) -> WorkloadResult:
    """Measures every kind in every library once a round; a library that fails is noted."""
    result = WorkloadResult(workload)
    workers: dict[str, Worker] = {}
    with contextlib.ExitStack() as stack:
        taking = [library for library in libraries if library.takes(workload)]
        for library in taking:
            _tell(f"{workload.full_name()}: {library.name} warms up")
            try:
                workers[library.name] = stack.enter_context(started(library, workload))
            except WorkerError as error:
                result.notes[library.name] = str(error)
        result.about = {name: worker.about for name, worker in workers.items()}
        for round_ in range(rounds):
            _tell(f"{workload.full_name()}: round {round_ + 1} of {rounds}")
            for kind in KINDS:
                measuring = [library.name for library in taking if kind in library.kinds]
                _take_turns(workers, measuring, kind, result)
    return result


def _take_turns(
    workers: dict[str, Worker], measuring: Sequence[str], kind: str, result: WorkloadResult
) -> None:
    for name in [name for name in measuring if name in workers]:
        try:
            rate = workers[name].measure(kind).rate
        except WorkerError as error:
            result.notes[name] = str(error)
            del workers[name]
        else:
            result.rates(name, kind).append(rate)


def measure_limits(rounds: int) -> Limits:
    """Measures what the machine can do."""
    kinds = (FLOAT32, BFLOAT16)
    rates: dict[str, list[float]] = {kind: [] for kind in kinds}
    _tell("limits of the machine")
    with started(LIMITS, PONG, kinds) as worker:
        for _ in range(rounds):
            for kind in kinds:
                rates[kind].append(worker.measure(kind).rate)
    return Limits(rates)


def _libraries(peers: bool) -> tuple[list[Library], list[str]]:
    """Returns ours and the peers that are installed, and a note for each that is not."""
    wanted = PEERS if peers else ()
    missing = [peer for peer in wanted if not peer.python.exists()]
    notes = [f"{peer.name} is not measured: make peers installs it" for peer in missing]
    for note in notes:
        _tell(note)
    present = [peer for peer in wanted if peer not in missing]
    return [OURS, OURS_BFLOAT16, *present, *PARTS], notes


def _tell(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--rounds", type=at_least(1), default=5)
    parser.add_argument(
        "--only", default="", help="workloads whose name has this in it; others in the file stay"
    )
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, default=OUT, help="JSON file; the chart goes beside it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
