"""The protocol of action distributions: pure functions of the parameters that a policy outputs.

Random numbers are arguments, so that sampling is a function like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import tensorflow as tf

from a2c_tf.types import ActionMask


class Distribution(Protocol):
    """A family of distributions over actions; `parameters` is `[..., head_size + constant_size]`.

    Sampled actions are the family's own; `to_env_action` translates them for the environment.
    """

    @property
    def head_size(self) -> int:
        """Width of the policy head, whose outputs are the first parameters."""
        ...

    @property
    def constant_size(self) -> int:
        """Number of the parameters after them, which are weights and the same in every state."""
        ...

    @property
    def noise_size(self) -> int:
        """Number of uniform random numbers that one sample consumes."""
        ...

    @property
    def mask_size(self) -> int:
        """Number of booleans in an action mask; 0 where no choice can be forbidden."""
        ...

    def apply_mask(self, parameters: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
        """Returns parameters by which forbidden choices have probability 0 and no gradient.

        Args:
          parameters: `[..., head_size]` float32.
          allowed: `[..., mask_size]` bool.
        """
        ...

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns an action drawn with given random numbers.

        Args:
          parameters: `[..., head_size + constant_size]` float32.
          noise: `[..., noise_size]` float32, uniform in (0, 1).
        """
        ...

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns the greedy action."""
        ...

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """Returns log π(action), `[...]` float32, in nats."""
        ...

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns H(π) = -E[log π], `[...]` float32, in nats."""
        ...

    def to_env_action(self, action: tf.Tensor) -> tf.Tensor:
        """Returns the action as the environment takes it, `[..., *action_shape]`."""
        ...

    def outputs(self, parameters: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Returns the parameters by the names that they have in a policy file."""
        ...

    def manifest_entry(self) -> dict[str, Any]:
        """Returns plain values by which a reader of those outputs can sample actions."""
        ...


def apply_mask(
    distribution: Distribution, parameters: tf.Tensor, action_mask: ActionMask
) -> tf.Tensor:
    """Masks the parameters where the environment has an action mask.

    Args:
      distribution: what the parameters mean.
      parameters: `[..., head_size + constant_size]` float32.
      action_mask: `[..., mask_size]` bool, true where allowed; `()`: all choices are.

    Returns:
      The parameters, unchanged for `()`.
    """
    if isinstance(action_mask, tuple):
        return parameters
    return distribution.apply_mask(parameters, action_mask)
