"""What episodes of a policy say together."""

from __future__ import annotations

from typing import NamedTuple


class Score(NamedTuple):
    """The returns of the episodes that were played."""

    episodes: int
    mean: float
    standard_error: float
    """of the mean."""
    std: float
    median: float
    min: float
    max: float
    mean_length: float


class Scores(NamedTuple):
    """How well a policy plays by its most likely actions, and by sampled ones."""

    greedy: Score
    sampled: Score
