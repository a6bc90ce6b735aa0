"""The summary of a run: both scores, and what it means where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from a2c_tf.evaluation.tally import Evaluation
from a2c_tf.training.finishing import RANDOMNESS_COSTS, RANDOMNESS_HELPS, score_lines


def evaluation(greedy: list[float], sampled: list[float], deterministic: bool) -> dict[str, Any]:
    summaries = [
        Evaluation(np.array(returns), np.ones(len(returns))).summary()
        for returns in (greedy, sampled)
    ]
    chosen, other = summaries if deterministic else summaries[::-1]
    name = "sampled" if deterministic else "greedy"
    return {**chosen, "deterministic": deterministic, name: other}


@pytest.mark.parametrize("deterministic", [True, False])
def test_greedy_and_sampled_stand_side_by_side(deterministic: bool) -> None:
    text = score_lines(evaluation([9.0, 11.0], [8.0, 12.0], deterministic))
    assert text.splitlines() == [
        "return    greedy  10.00 ± 1.00 over 2 episodes, 9.00 to 11.00",
        "          sampled 10.00 ± 2.00 over 2 episodes, 8.00 to 12.00",
    ]


def test_one_episode_has_no_standard_error() -> None:
    first, second = score_lines(evaluation([9.0], [8.5], True)).splitlines()[:2]
    assert first == "return    greedy  9.00 over 1 episodes, 9.00 to 9.00"
    assert "±" not in second


@pytest.mark.parametrize(
    ("greedy", "sampled", "meaning"),
    [
        ([100.0, 100.0, 101.0], [50.0, 49.0, 50.0], RANDOMNESS_COSTS),
        ([-500.0, -500.0, -500.0], [-20.0, -22.0, -21.0], RANDOMNESS_HELPS),
        ([100.0, 100.0, 100.0], [99.0, 99.0, 99.0], None),  # certain, but small
        ([0.0, 300.0, 10.0], [400.0, 20.0, 90.0], None),  # large, but not certain
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], None),
    ],
)
def test_a_clear_difference_is_explained(
    greedy: list[float], sampled: list[float], meaning: str | None
) -> None:
    lines = score_lines(evaluation(greedy, sampled, True)).splitlines()
    assert [line.strip() for line in lines[2:]] == ([meaning] if meaning else [])
