"""Actions of a Box of integers, as the choices that they are."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

MOST_CHOICES = 10_000
"""of all numbers of an action together; each has an output of the network."""


class IntegerActions(gymnasium.ActionWrapper):
    """Takes MultiDiscrete actions for a Box of integers: each number is one of a few."""

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        box = env.action_space
        assert isinstance(box, Box)
        sizes = box.high.astype(np.int64) - box.low.astype(np.int64) + 1
        self.action_space = MultiDiscrete(sizes, np.int64, start=box.low.astype(np.int64))

    def action(self, action: Any) -> Any:
        return np.asarray(action, self.env.action_space.dtype)


def with_integers(env: gymnasium.Env) -> gymnasium.Env:
    """Returns the environment with MultiDiscrete actions where it takes a Box of few integers."""
    space = env.action_space
    if not isinstance(space, Box) or space.dtype.kind not in "iu" or not space.shape:
        return env
    choices = (space.high.astype(float) - space.low.astype(float) + 1).sum()
    return IntegerActions(env) if choices <= MOST_CHOICES else env
