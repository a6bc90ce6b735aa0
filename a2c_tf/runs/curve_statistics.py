"""Curves as arrays: smoothed, and several as their mean with an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

POINTS = 200
"""common points to which runs are interpolated for their mean."""
RESAMPLES = 2000
"""of the seeds, for the bootstrap."""
CONFIDENCE = 0.95


class Band(NamedTuple):
    """Several curves as one."""

    steps: np.ndarray
    """`[POINTS]` environment steps, as far as every curve reaches."""
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    """`[POINTS]` each; the bootstrap interval of the mean."""


def curve(rows: Sequence[Mapping[str, float]], name: str) -> np.ndarray | None:
    """Returns (env_steps, value) of the rows that have the value, `[2, N]`; None: no row has.

    The last row is left out if it covers far fewer steps than others, as where training stops
    soon after a row: it averages too few episodes to be compared with them.
    """
    points = np.array([(row["env_steps"], row[name]) for row in rows if name in row], np.float64)
    if not len(points):
        return None
    covered = np.diff(points[:, 0])
    short = len(points) > 2 and covered[-1] < np.median(covered) / 4
    return points[: len(points) - short].T


def window(points: int) -> int:
    """Returns the number of points that are averaged for one of them: odd, a fifteenth of all."""
    return points // 15 | 1 if points >= 15 else 1


def smooth(values: np.ndarray) -> np.ndarray:
    """Returns centred running means, over fewer values towards both ends, `[N]`."""
    half = window(len(values)) // 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    i = np.arange(len(values))
    reach = np.minimum(half, np.minimum(i, len(values) - 1 - i))
    return (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1)


def band(curves: Sequence[np.ndarray]) -> Band | None:
    """Returns the mean of curves with the percentile bootstrap interval over them.

    Curves are resampled whole, since the values of one are not independent (Efron and Tibshirani,
    1993, chapter 13).

    Args:
      curves: of the runs, `[2, N]` each: steps and values.

    Returns:
      The band where all curves overlap; None where they do not.
    """
    start = max(points[0, 0] for points in curves)
    end = min(points[0, -1] for points in curves)
    if start >= end:
        return None
    steps = np.linspace(start, end, POINTS)
    values = np.stack([np.interp(steps, *points) for points in curves])  # [runs, POINTS]
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    counts = np.stack([(drawn == run).sum(axis=1) for run in range(len(values))], axis=1)
    means = counts @ values / len(values)  # [RESAMPLES, POINTS]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return Band(steps, values.mean(axis=0), low, high)
