"""Learning curves as an image: of one run, of several seeds, configs and environments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from a2c_tf.errors import ConfigError
from a2c_tf.runs import run_dir, run_groups
from a2c_tf.runs.curve_statistics import band, curve, smooth, window
from a2c_tf.runs.run_dir import RunDir
from a2c_tf.runs.run_groups import Group, Run

PANELS = {
    "episode_return": "return of an episode",
    "policy/entropy": "entropy of the policy (nats)",
    "loss/value": "value loss",
    "steps_per_second": "environment steps a second",
}
COLORS = ("C0", "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9")


def save_curves(runs: Sequence[RunDir], out: Path) -> None:
    """Draws return, entropy, value loss and speed against environment steps.

    Runs that differ in their seed alone are drawn as their mean, with its 95 % bootstrap interval;
    other configs are lines of their own, and each environment has panels of its own. Lines are
    smoothed lightly, with what was measured behind them.

    Args:
      runs: their folders.
      out: the image, whose format is that of its ending.

    Raises:
      ConfigError: where a run has no config or no metrics yet.
      OSError, ValueError: where `out` cannot be written, or names no image.
    """
    environments = run_groups.by_environment([_read(run) for run in runs])
    lone = len(environments) == 1
    figure = Figure(figsize=(10, 6.6) if lone else (5 * len(environments), 12.5))
    figure.set_layout_engine("constrained")
    columns = figure.subfigures(1, len(environments), squeeze=False)[0]
    for column, (environment, groups) in zip(columns, environments.items(), strict=True):
        shape = (2, 2) if lone else (4, 1)
        column.suptitle(_title(environment, groups, 105 if lone else 55), fontsize=10)
        panels = column.subplots(*shape, squeeze=False).flat
        for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
            _draw_panel(axes, groups, name)
            axes.set_title(title, loc="left", fontsize=10)
            if name == "episode_return" and axes.get_legend_handles_labels()[0]:
                axes.legend(frameon=False, fontsize=8)
    figure.savefig(out, dpi=110, format=out.suffix[1:] or "png")


def _read(folder: RunDir) -> Run:
    _, config = run_dir.open_existing(folder.path)
    rows = run_dir.read_metrics(folder.metrics)
    if not rows:
        raise ConfigError(f"run folder {folder.path}: metrics.jsonl holds no row; train it first")
    evaluation = run_dir.read_evaluation(folder, int(rows[-1]["env_steps"]))
    return Run(folder, config, rows, evaluation)


def _title(environment: str, groups: Sequence[Group], width: int) -> str:
    """Returns environment, config, seeds and final score, in lines of `width` characters."""
    one = len(groups) == 1
    what = run_groups.describe_group(groups[0]) if one else f"{len(groups)} configs"
    parts = [environment, *what.split(", "), *_score(groups)]
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 2 > width:
            lines.append(part)
        else:
            lines[-1] += f", {part}"
    return "\n".join(lines)


def _score(groups: Sequence[Group]) -> list[str]:
    """Returns the final score of a group in words, where all its runs have one."""
    scores = [run.evaluation for run in groups[0] if run.evaluation]
    if len(groups) > 1 or len(scores) < len(groups[0]):
        return []
    means = [float(score["mean"]) for score in scores]
    if len(means) > 1:
        return [f"final score {np.mean(means):.2f} ({min(means):.2f} to {max(means):.2f})"]
    actions = "greedy" if scores[0]["deterministic"] else "sampled"
    spread = f"{means[0]:.2f} ± {scores[0]['std']:.2f}"
    return [f"final score {spread} ({scores[0]['episodes']} episodes {actions})"]


def _draw_panel(axes: Axes, groups: Sequence[Group], name: str) -> None:
    labels = run_groups.label_groups(groups) if len(groups) > 1 else [""]
    for i, (group, label) in enumerate(zip(groups, labels, strict=True)):
        found = (curve(run.rows, name) for run in group)
        curves = [points for points in found if points is not None]
        if curves:
            _draw(axes, curves, label, COLORS[i % len(COLORS)])
    axes.set_xlabel("environment steps")
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlim(left=0)
    low, high = min(0.0, axes.dataLim.y0), max(0.0, axes.dataLim.y1)
    margin = 0.05 * (high - low) or 1.0
    axes.set_ylim(low - margin * (low < 0), high + margin * (high > 0 or low == 0))
    if max(-low, high) > 10_000:
        axes.yaxis.set_major_formatter(EngFormatter(sep=""))


def _draw(axes: Axes, curves: Sequence[np.ndarray], label: str, color: str) -> None:
    """Draws one run, or several of them as their mean with its interval."""
    smoothed = [np.stack([points[0], smooth(points[1])]) for points in curves]
    mean = band(smoothed) if len(curves) > 1 else None
    for points in curves:
        axes.plot(*points, color=color, linewidth=0.8, alpha=0.3)
    if mean:
        note = f"mean of {len(curves)} seeds, 95 % bootstrap interval"
        axes.plot(mean.steps, mean.mean, color=color, label=_joined(label, note))
        axes.fill_between(mean.steps, mean.low, mean.high, color=color, alpha=0.2, linewidth=0)
        return
    for i, points in enumerate(smoothed):
        over = window(points.shape[1])
        note = f"mean of {over} rows, as measured behind it" if over > 1 else ""
        legend = _joined(label, note) if i == 0 else ""
        alone = points.shape[1] == 1  # a line through one point is invisible
        marker = "o" if alone else None
        axes.plot(*points, color=color, linewidth=1.4, marker=marker, label=legend or None)


def _joined(label: str, note: str) -> str:
    return ": ".join(filter(None, [label, note]))
