"""Action distributions: pure functions of the parameters that a policy head puts out.

Randomness is handed in as uniform numbers, so that a sample is a function like any other.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol

import gymnasium
import tensorflow as tf


class Distribution(Protocol):
    """A family of distributions over actions; `parameters` is `[..., parameter_size]`."""

    @property
    def parameter_size(self) -> int:
        """Width of the policy head."""
        ...

    @property
    def noise_size(self) -> int:
        """Uniform numbers that one sample consumes."""
        ...

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """An action drawn with `noise` `[..., noise_size]`, uniform in (0, 1)."""
        ...

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        """The most likely action."""
        ...

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """log π(action), `[...]` float32, in nats."""
        ...

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        """H(π) = -Σ π log π, `[...]` float32, in nats."""
        ...


@dataclasses.dataclass(frozen=True)
class Categorical:
    """One of `num_actions` actions with probabilities softmax(parameters); actions are int32."""

    num_actions: int

    @property
    def parameter_size(self) -> int:
        return self.num_actions

    @property
    def noise_size(self) -> int:
        return self.num_actions

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Gumbel-max: argmax(logits - log(-log u)) has the distribution softmax(logits)."""
        gumbel = -tf.math.log(-tf.math.log(noise))
        return tf.argmax(parameters + gumbel, axis=-1, output_type=tf.int32)

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.argmax(parameters, axis=-1, output_type=tf.int32)

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        # a product with one-hot rows, since the gradient of a gather is a slow scatter
        chosen = tf.one_hot(action, self.num_actions, dtype=parameters.dtype)
        return tf.reduce_sum(tf.nn.log_softmax(parameters) * chosen, axis=-1)

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        log_probs = tf.nn.log_softmax(parameters)
        return -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1)


def for_space(action_space: gymnasium.Space) -> Distribution:
    """The distribution that acts in `action_space`.

    Raises:
      ValueError: for a space other than `Discrete` starting at 0.
    """
    if isinstance(action_space, gymnasium.spaces.Discrete) and action_space.start == 0:
        return Categorical(int(action_space.n))
    raise ValueError(
        f"action space {action_space} is not supported: expected Discrete(n) starting at 0; "
        "wrap the environment so that its actions are 0 .. n-1"
    )
