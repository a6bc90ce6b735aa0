"""A sample of the steps that an environment was asked for anyway."""

from __future__ import annotations

import numpy as np
import pytest

from a2c_tf.envs.host.observed import ENOUGH_ROWS, StepSampler


def sampled(count: int, num_envs: int, masks: bool = False) -> StepSampler:
    """Of steps that observe their number."""
    sampler = StepSampler()
    for n in range(count):
        arrays = [np.full((num_envs, 2), n, np.float32), np.full(num_envs, n)]
        mask = [np.full((num_envs, 3), n % 2 == 0)] if masks else []
        sampler.add(arrays, np.full(num_envs, n % 5 == 0), mask)
    return sampler


def test_nothing_was_observed_at_first() -> None:
    assert StepSampler().steps(1) is None


def test_a_few_steps_are_all_kept() -> None:
    steps = sampled(7, 4, masks=True).steps(2)
    assert steps is not None and steps.action_mask is not None
    assert [array.shape for array in steps.arrays] == [(7, 4, 2), (7, 4)]
    assert steps.arrays[1][:, 0].tolist() == list(range(7))
    assert steps.last[:, 0].tolist() == [n % 5 == 0 for n in range(7)]
    assert steps.action_mask[:, 0, 0].tolist() == [n % 2 == 0 for n in range(7)]


@pytest.mark.parametrize("num_envs", [1, 16, 5000])
def test_many_steps_are_thinned_evenly(num_envs: int) -> None:
    steps = sampled(10_000, num_envs).steps(2)
    assert steps is not None and steps.action_mask is None
    kept = steps.arrays[1][:, 0]
    assert kept[0] == 0 and len(set(np.diff(kept))) <= 1
    rows = len(kept) * num_envs
    assert rows < 2 * ENOUGH_ROWS or len(kept) == 1
    assert rows >= ENOUGH_ROWS or len(kept) == 1
    assert kept[-1] >= 10_000 * 0.5 or len(kept) == 1
