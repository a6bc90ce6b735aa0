"""Figures of a run, and the roofline that follows from them."""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

from benchmarks.processes import EMULATOR, NETWORK, OURS, OURS_BFLOAT16, PARTS, PEERS
from benchmarks.workloads import ACTING, BFLOAT16, FLOAT32, KINDS, STEPPING, Workload

PEAKS = (FLOAT32, BFLOAT16)

Rates = dict[str, list[float]]
"""kind -> a rate for every round."""


class Spread(NamedTuple):
    """Median and range of some rates."""

    median: float
    low: float
    high: float


def spread(rates: list[float]) -> Spread:
    """Returns median and range."""
    return Spread(statistics.median(rates), min(rates), max(rates))


class Limits(NamedTuple):
    """Rates that the machine reaches at most."""

    rates: Rates

    def median(self, kind: str) -> float:
        return spread(self.rates[kind]).median


class WorkloadResult:
    """The figures of one workload in all libraries."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.by_library: dict[str, Rates] = {}
        self.about: dict[str, dict[str, Any]] = {}
        """versions, threads, operations of each library's worker."""
        self.notes: dict[str, str] = {}
        """why a library has no figures."""

    def rates(self, library: str, kind: str) -> list[float]:
        kinds = self.by_library.setdefault(library, {kind: [] for kind in KINDS})
        return kinds[kind]

    def spread(self, library: str, kind: str) -> Spread | None:
        rates = self.by_library.get(library, {}).get(kind)
        return spread(rates) if rates else None

    def roofline(self, kind: str, limits: Limits, peak: str = FLOAT32) -> float | None:
        """Returns the steps a second by a lower bound for the seconds of a step.

        seconds of its environment, measured alone
        + operations of the network / operations a second of a matrix product
        """
        game = self._game_alone()
        if kind == STEPPING or game is None:
            return None
        counted = self.about[OURS.name]["operations"]
        operations = counted["acting" if kind == ACTING else "training"]
        return 1 / (1 / game + operations / limits.median(peak))

    def sum_of_parts(self, kind: str) -> float | None:
        """Returns the steps a second if a step took the times of environment and network.

        Each of them is measured alone.
        """
        game, network = self._game_alone(), self.spread(NETWORK.name, kind)
        if kind == STEPPING or game is None or network is None:
            return None
        return 1 / (1 / game + 1 / network.median)

    def _game_alone(self) -> float | None:
        """Returns the steps a second of the emulator's bare loop, else of our game."""
        name = EMULATOR.name if self.workload.is_atari else OURS.name
        alone = self.spread(name, STEPPING)
        return alone.median if alone else None


class Results(NamedTuple):
    """Everything that `benchmarks.throughput` measured."""

    machine: dict[str, str | int]
    notes: list[str]
    limits: Limits
    workloads: list[WorkloadResult]

    def libraries(self) -> list[str]:
        """Returns the libraries with figures, ours first."""
        measured = {name for result in self.workloads for name in result.by_library}
        order = [library.name for library in (OURS, OURS_BFLOAT16, *PEERS, *PARTS)]
        return [name for name in order if name in measured]

    def as_json(self) -> dict[str, Any]:
        """Returns plain values, from which `from_json` restores the results."""
        return {
            "machine": self.machine,
            "notes": self.notes,
            "unit": "environment steps a second; frames a second are frames_per_step times that",
            "limits": self.limits.rates,
            "workloads": [self._workload(result) for result in self.workloads],
        }

    def updating(self, before: Results) -> Results:
        """Replaces workloads of the same names in `before` by these, and keeps the others."""
        measured = {result.workload.full_name(): result for result in self.workloads}
        workloads = [measured.pop(r.workload.full_name(), r) for r in before.workloads]
        rates = {kind: before.limits.rates[kind] + self.limits.rates[kind] for kind in PEAKS}
        return self._replace(limits=Limits(rates), workloads=[*workloads, *measured.values()])

    def _workload(self, result: WorkloadResult) -> dict[str, Any]:
        roofline = {
            kind: {peak: result.roofline(kind, self.limits, peak) for peak in PEAKS}
            for kind in KINDS[1:]
        }
        return {
            **result.workload._asdict(),
            "rates": result.by_library,
            "roofline": roofline,
            "sum of parts": {kind: result.sum_of_parts(kind) for kind in KINDS[1:]},
            "about": result.about,
            "notes": result.notes,
        }


def from_json(tree: dict[str, Any]) -> Results:
    """Returns the results that `as_json` wrote."""
    workloads = [_workload_result(workload) for workload in tree["workloads"]]
    return Results(tree["machine"], tree["notes"], Limits(tree["limits"]), workloads)


def _workload_result(tree: dict[str, Any]) -> WorkloadResult:
    fields = {name: tree[name] for name in Workload._fields}
    result = WorkloadResult(Workload(**{**fields, "hidden": tuple(fields["hidden"])}))
    result.by_library, result.about, result.notes = tree["rates"], tree["about"], tree["notes"]
    return result
