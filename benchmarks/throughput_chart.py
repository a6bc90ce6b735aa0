"""The figures of `benchmarks.throughput` as bars."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from benchmarks.processes import PARTS
from benchmarks.results import Results, Spread
from benchmarks.workloads import KINDS, STEPPING

COLORS = ("#d95f02", "#fdb863", "#7570b3", "#1b9e77", "#8dd3c7")
NOTHING = Spread(np.nan, np.nan, np.nan)
TITLES = dict(zip(KINDS, ("stepping alone", "stepping and acting", "training"), strict=True))


def draw(results: Results, path: Path) -> None:
    """Draws a row for each kind, a group of bars for each workload, and ranges as whiskers."""
    count = len(results.workloads)
    figure, rows = plt.subplots(
        len(KINDS), sharex=True, figsize=(2.5 + 1.3 * count, 9), layout="constrained"
    )
    for axes, kind in zip(rows, KINDS, strict=True):
        _draw_kind(axes, results, kind)
    rows[-1].set_xticks(range(count), [_label(i, results) for i in range(count)])
    figure.legend(*rows[-1].get_legend_handles_labels(), loc="outside upper left", ncols=4)
    machine = results.machine
    rows[0].set_title(f"{machine['processor']}, {machine['cores']} cores", loc="right", fontsize=10)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _draw_kind(axes: Axes, results: Results, kind: str) -> None:
    parts = [part.name for part in PARTS]
    libraries = [name for name in results.libraries() if name not in parts]
    x = np.arange(len(results.workloads))
    width = 0.8 / len(libraries)
    for i, (name, color) in enumerate(zip(libraries, COLORS, strict=False)):
        spreads = [result.spread(name, kind) or NOTHING for result in results.workloads]
        median, low, high = np.array(spreads).T
        places = x - 0.4 + width * (i + 0.5)
        axes.bar(places, median, width * 0.92, color=color, label=name)
        axes.vlines(places, low, high, color="black", linewidth=1)
    if kind != STEPPING:
        ceilings = [result.roofline(kind, results.limits) or np.nan for result in results.workloads]
        axes.hlines(ceilings, x - 0.42, x + 0.42, color="black", linestyle="--", label="roofline")
    axes.set_yscale("log")
    axes.set_ylim(bottom=axes.dataLim.minposy / 3)
    axes.set_ylabel("steps/s")
    axes.set_title(TITLES[kind], loc="left", fontsize=10)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)


def _label(i: int, results: Results) -> str:
    workload = results.workloads[i].workload
    frames = f"\n{workload.frames_per_step} frames a step" if workload.frames_per_step > 1 else ""
    return f"{workload.name}\nB={workload.num_envs}{frames}"
