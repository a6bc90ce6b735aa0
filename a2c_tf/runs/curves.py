"""Learning curves of one run, or of several seeds, as an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from a2c_tf.errors import ConfigError
from a2c_tf.runs import run_dir
from a2c_tf.runs.run_dir import RunDir

PANELS = {
    "episode_return": "return of an episode",
    "policy/entropy": "entropy of the policy (nats)",
    "loss/value": "value loss",
    "steps_per_second": "environment steps a second",
}
POINTS = 200
"""common points to which the runs are interpolated for their mean."""


def save_curves(runs: Sequence[RunDir], out: Path) -> None:
    """Draws return, entropy, value loss and speed against environment steps.

    One run is drawn as it is; several as their mean, with a band from the lowest to the highest.

    Raises:
      ConfigError: where a run has no metrics yet.
      OSError, ValueError: where `out` cannot be written, or names no image.
    """
    rows = [_rows(run) for run in runs]
    figure = Figure(figsize=(10, 6), layout="constrained")
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        curves = [curve for run in rows if (curve := _curve(run, name)) is not None]
        if curves:
            _draw(axes, curves)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel("environment steps")
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        if axes.get_ylim()[1] > 10_000:
            axes.yaxis.set_major_formatter(EngFormatter(sep=""))
    figure.savefig(out, dpi=110, format=out.suffix[1:] or "png")


def _rows(run: RunDir) -> list[dict[str, float]]:
    rows = run_dir.read_metrics(run.metrics)
    if not rows:
        raise ConfigError(f"run folder {run.path}: metrics.jsonl holds no row; train it first")
    return rows


def _curve(rows: list[dict[str, float]], name: str) -> np.ndarray | None:
    """Returns (env_steps, value) of the rows that have the value, `[2, N]`."""
    points = [(row["env_steps"], row[name]) for row in rows if name in row]
    return np.array(points).T if points else None


def _draw(axes: Axes, curves: list[np.ndarray]) -> None:
    if len(curves) == 1:
        lone = curves[0].shape[1] == 1  # a line through one point is invisible
        axes.plot(*curves[0], linewidth=1.2, marker="o" if lone else None)
        return
    steps = np.linspace(0, min(curve[0, -1] for curve in curves), POINTS)
    values = np.stack([np.interp(steps, *curve) for curve in curves])  # [runs, POINTS]
    axes.plot(steps, values.mean(axis=0), label=f"mean of {len(curves)} runs")
    axes.fill_between(steps, values.min(axis=0), values.max(axis=0), alpha=0.25, label="range")
    axes.legend(frameon=False, fontsize=8)
