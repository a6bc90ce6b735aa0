"""Running mean and variance, and rewards scaled by them.

Batches are merged exactly, whatever their sizes (Chan, Golub and LeVeque, 1983): all of them
together have the same moments as their union.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
import tensorflow as tf

CLIP = 10.0
"""normalised numbers lie within ± this, as in OpenAI baselines' VecNormalize."""
EPSILON = 1e-8


class Moments(NamedTuple):
    """Count, mean and squares of a set of numbers, or of arrays element by element; float64."""

    count: tf.Tensor
    """scalar, number of elements of the set."""
    mean: tf.Tensor
    """`[...]`."""
    squares: tf.Tensor
    """`[...]`, Σ (x - mean)²."""


def moments_of(x: tf.Tensor, weight: tf.Tensor) -> Moments:
    """Returns the moments of the rows of `x` `[N, ...]`, counted `weight` `[N]` times, 0 or 1."""
    x, weight = tf.cast(x, tf.float64), tf.cast(weight, tf.float64)
    weight = tf.reshape(weight, [-1] + [1] * (x.shape.rank - 1))  # [N, 1, ...]
    count = tf.reduce_sum(weight)
    mean = tf.math.divide_no_nan(tf.reduce_sum(weight * x, axis=0), count)
    return Moments(count, mean, tf.reduce_sum(weight * tf.square(x - mean), axis=0))


def merge(a: Moments, b: Moments) -> Moments:
    """Returns the moments of the union of two sets.

        mean = mean_a + δ·n_b / n,    squares = squares_a + squares_b + δ²·n_a·n_b / n

    with δ = mean_b - mean_a and n = n_a + n_b.
    """
    count = a.count + b.count
    share = tf.math.divide_no_nan(b.count, count)
    delta = b.mean - a.mean
    squares = a.squares + b.squares + tf.square(delta) * a.count * share
    return Moments(count, a.mean + delta * share, squares)


class RewardStatistics(NamedTuple):
    """What reward scaling has counted so far."""

    discounted_return: tf.Tensor
    """`[B]` float32, R of the episode under way."""
    moments: Moments
    """of R over all steps."""


class RewardScale:
    """Divides rewards by the standard deviation of the discounted return so far, clipped to ±10.

        R ← γ·R + r within an episode,    r / sqrt(Var[R] + ε)

    (the VecNormalize of OpenAI baselines). Rewards are not centred, so that none changes its sign.
    """

    def __init__(self, num_envs: int, gamma: float) -> None:
        self._gamma = gamma
        self._returns = keras.Variable(tf.zeros([num_envs]), name="discounted_return")
        self._moments = Moments(
            *(
                keras.Variable(0.0, dtype="float64", name=f"reward_{name}")
                for name in Moments._fields
            )
        )

    @property
    def variables(self) -> list[keras.Variable]:
        """All variables, for checkpoints."""
        return [self._returns, *self._moments]

    def count(self, reward: tf.Tensor, mask: tf.Tensor) -> RewardStatistics:
        """Returns the statistics with an unroll counted in, and changes nothing.

        Args:
          reward: `[T, B]` float32, 0 in the row of an autoreset.
          mask: `[T, B]` float32, 0 in that row, where the return of the next episode begins.

        Returns:
          The statistics to scale the rewards by, and to `assign`.
        """
        discounted_return, returns = self._returns.value, []
        for t in range(reward.shape[0]):
            discounted_return = mask[t] * (self._gamma * discounted_return + reward[t])
            returns.append(discounted_return)
        flat_returns = tf.reshape(tf.stack(returns), [-1])  # [T·B]
        counted = moments_of(flat_returns, tf.reshape(mask, [-1]))
        merged = merge(Moments(*(variable.value for variable in self._moments)), counted)
        return RewardStatistics(discounted_return, merged)

    def assign(self, statistics: RewardStatistics) -> None:
        """Remembers the statistics."""
        self._returns.assign(statistics.discounted_return)
        for variable, value in zip(self._moments, statistics.moments, strict=True):
            variable.assign(value)


def scale_reward(reward: tf.Tensor, statistics: RewardStatistics) -> tf.Tensor:
    """Returns rewards of any shape, scaled by the statistics of discounted returns."""
    moments = statistics.moments
    variance = tf.math.divide_no_nan(moments.squares, moments.count)
    scale = tf.cast(tf.math.rsqrt(variance + EPSILON), tf.float32)
    return tf.clip_by_value(reward * scale, -CLIP, CLIP)
