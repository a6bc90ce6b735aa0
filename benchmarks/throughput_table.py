"""The figures of `benchmarks.throughput` as text: Markdown, to be read on a terminal as well."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.processes import OURS, PARTS
from benchmarks.results import Results, WorkloadResult, spread
from benchmarks.workloads import KINDS, TRAINING


def text(results: Results) -> str:
    """Returns all tables and notes."""
    parts = [_machine(results), _limits(results), _steps(results), _ratios(results)]
    return "\n\n".join([*parts, *_notes(results)])


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Returns an aligned Markdown table; the first `left` columns are aligned to the left."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    return "\n".join(line(cells) for cells in (header, rule, *rows))


def number(rates: Sequence[float], scale: float = 1.0, digits: int = 0) -> str:
    """Returns median and range as text."""
    median, low, high = (f"{x / scale:,.{digits}f}" for x in spread(list(rates)))
    return f"{median} ({low} to {high})"


def _machine(results: Results) -> str:
    abouts = {name: about for result in results.workloads for name, about in result.about.items()}
    lines = [", ".join(f"{name} {value}" for name, value in results.machine.items())]
    for name, about in abouts.items():
        versions = ", ".join(f"{package} {v}" for package, v in about["versions"].items())
        lines.append(f"{name}: {versions}; threads: {about['threads']}")
    return "\n".join(lines)


def _limits(results: Results) -> str:
    rows = [(kind, number(rates, 1e9), "GFLOP/s") for kind, rates in results.limits.rates.items()]
    return table(("limit of the machine", "median (range)", "unit"), rows, 1)


def _steps(results: Results) -> str:
    libraries = results.libraries()
    shares = ("sum of parts", "ours of it", "roofline", "ours of it")
    header = ("workload", "frames/step", "what", *libraries, *shares)
    rows = [
        (
            result.workload.full_name(),
            str(result.workload.frames_per_step),
            kind,
            *(_cell(result, name, kind) for name in libraries),
            *_share(result, kind, result.sum_of_parts(kind)),
            *_share(result, kind, result.roofline(kind, results.limits)),
        )
        for result in results.workloads
        for kind in KINDS
    ]
    title = "Environment steps a second, median and range of the rounds:"
    return f"{title}\n\n{table(header, rows, 3)}"


def _cell(result: WorkloadResult, library: str, kind: str) -> str:
    rates = result.by_library.get(library, {}).get(kind)
    return number(rates) if rates else "-"


def _share(result: WorkloadResult, kind: str, ceiling: float | None) -> tuple[str, str]:
    ours = result.spread(OURS.name, kind)
    if ceiling is None or ours is None:
        return "-", "-"
    return f"{ceiling:,.0f}", f"{ours.median / ceiling:.0%}"


def _ratios(results: Results) -> str:
    """Medians of ours over those of each other, in training."""
    hidden = {OURS.name, *(part.name for part in PARTS)}
    others = [name for name in results.libraries() if name not in hidden]
    rows = [
        (result.workload.full_name(), *(_ratio(result, name) for name in others))
        for result in results.workloads
    ]
    return f"Trained steps, {OURS.name} over:\n\n{table(('workload', *others), rows, 1)}"


def _ratio(result: WorkloadResult, other: str) -> str:
    ours, theirs = result.spread(OURS.name, TRAINING), result.spread(other, TRAINING)
    return f"{ours.median / theirs.median:.2f}" if ours and theirs else "-"


def _notes(results: Results) -> list[str]:
    notes = [
        f"{result.workload.full_name()}: no {name}: {reason}"
        for result in results.workloads
        for name, reason in result.notes.items()
    ]
    return ["\n".join([*results.notes, *notes])] if results.notes or notes else []
