"""What every action distribution can do: pure functions of the parameters that a policy puts out.

Randomness is handed in as uniform numbers, so that a sample is a function like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import tensorflow as tf

from a2c_tf.types import ActionMask


class Distribution(Protocol):
    """A family of distributions over actions; `parameters` is `[..., parameter_size]`.

    Sampled actions are the family's own; `to_env_action` translates them for the environment.
    """

    @property
    def head_size(self) -> int:
        """Width of the policy head, the first of the parameters."""
        ...

    @property
    def constant_size(self) -> int:
        """How many parameters follow that are weights, the same in every state."""
        ...

    @property
    def noise_size(self) -> int:
        """Uniform numbers that one sample consumes."""
        ...

    @property
    def mask_size(self) -> int:
        """Booleans that say which choices are allowed; 0 where none can be forbidden."""
        ...

    def apply_mask(self, parameters: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
        """The parameters under which what `allowed` `[..., mask_size]` forbids has probability 0
        and no gradient."""
        ...

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """An action drawn with `noise` `[..., noise_size]`, uniform in (0, 1)."""
        ...

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        """The greedy action."""
        ...

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """log π(action), `[...]` float32, in nats."""
        ...

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        """H(π) = -E[log π], `[...]` float32, in nats."""
        ...

    def to_env_action(self, action: tf.Tensor) -> tf.Tensor:
        """The action as the environment takes it, `[..., *action_shape]`."""
        ...

    def outputs(self, parameters: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """The parameters by the names under which a policy file gives them."""
        ...

    def manifest_entry(self) -> dict[str, Any]:
        """What turns those outputs into actions, as plain values, for whoever samples from them."""
        ...


def apply_mask(
    distribution: Distribution, parameters: tf.Tensor, action_mask: ActionMask
) -> tf.Tensor:
    """The parameters as they are where the environment has no mask, `()`, else masked."""
    if isinstance(action_mask, tuple):
        return parameters
    return distribution.apply_mask(parameters, action_mask)
