"""Action distributions, and which one acts in which space."""

from __future__ import annotations

import gymnasium
import numpy as np

from a2c_tf.distributions.base import Distribution, apply_mask
from a2c_tf.distributions.discrete import Bernoulli, Categorical, MultiCategorical
from a2c_tf.distributions.gaussian import Bounds, DiagonalGaussian, TanhGaussian

__all__ = [
    "Bernoulli",
    "Bounds",
    "Categorical",
    "DiagonalGaussian",
    "Distribution",
    "MultiCategorical",
    "TanhGaussian",
    "apply_mask",
    "for_space",
]


def for_space(action_space: gymnasium.Space, squash: bool = False) -> Distribution:
    """Returns the distribution that acts in `action_space`.

    Args:
      action_space: `Discrete`, `MultiDiscrete`, `MultiBinary`, or `Box` of floats.
      squash: whether actions of a `Box` are squashed into its bounds by tanh, not clipped.

    Raises:
      ValueError: for any other space, and for a squash without finite bounds.
    """
    if squash and not isinstance(action_space, gymnasium.spaces.Box):
        raise ValueError(
            f"network.squash_actions=true: {action_space} is not a Box; set it to false"
        )
    match action_space:
        case gymnasium.spaces.Discrete():
            return Categorical(int(action_space.n), int(action_space.start))
        case gymnasium.spaces.MultiDiscrete():
            sizes, starts = (
                tuple(map(int, x.flat)) for x in (action_space.nvec, action_space.start)
            )
            return MultiCategorical(sizes, starts, action_space.shape)
        case gymnasium.spaces.MultiBinary():
            return Bernoulli(action_space.shape)
        case gymnasium.spaces.Box() if np.issubdtype(action_space.dtype, np.floating):
            return _gaussian(Bounds.of(action_space), squash)
    raise ValueError(
        f"action space {action_space} is not supported: expected Discrete, MultiDiscrete, "
        "MultiBinary or a Box of floats; wrap the environment, for instance in "
        "gymnasium.wrappers.TransformAction"
    )


def _gaussian(bounds: Bounds, squash: bool) -> Distribution:
    if not squash:
        return DiagonalGaussian(bounds)
    if not bounds.are_finite:
        raise ValueError(
            "network.squash_actions=true: the action space has no finite bounds; set it to false"
        )
    return TanhGaussian(bounds)
