"""Distributions over numbered choices: one of several, several at once, and bits."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

FORBIDDEN = -1e9
"""logit of a forbidden choice: its probability is 0 in float32, and no arithmetic overflows."""


@dataclasses.dataclass(frozen=True)
class Categorical:
    """One of `num_actions` with probabilities softmax(parameters); actions are int32 from 0."""

    num_actions: int
    start: int = 0
    """what the environment calls action 0."""
    constant_size = 0

    @property
    def head_size(self) -> int:
        return self.num_actions

    @property
    def noise_size(self) -> int:
        return self.num_actions

    @property
    def mask_size(self) -> int:
        return self.num_actions

    def apply_mask(self, parameters: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
        return tf.where(allowed, parameters, FORBIDDEN)

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        """Returns argmax(logits - log(-log u)), which follows softmax(logits): Gumbel-max."""
        # as one row that two operations read, XLA computes the logarithms and the random numbers
        # as vectors; within a lone argmax, or in short rows, one by one, in ten times the time
        gumbel = -tf.math.log(-tf.math.log(tf.reshape(noise, [-1])))  # [N·num_actions]
        flat = tf.reshape(parameters, [-1]) + gumbel  # [N·num_actions]
        perturbed = tf.reshape(flat, tf.shape(parameters))  # [..., num_actions]
        highest = tf.reduce_max(perturbed, axis=-1, keepdims=True)
        return tf.argmax(tf.cast(perturbed == highest, tf.int32), axis=-1, output_type=tf.int32)

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.argmax(parameters, axis=-1, output_type=tf.int32)

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        # a product with one-hot rows, since the gradient of a gather is a slow scatter
        chosen = tf.one_hot(action, self.num_actions, dtype=parameters.dtype)
        return tf.reduce_sum(tf.nn.log_softmax(parameters) * chosen, axis=-1)

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        log_probs = tf.nn.log_softmax(parameters)
        return -tf.reduce_sum(tf.exp(log_probs) * log_probs, axis=-1)

    def to_env_action(self, action: tf.Tensor) -> tf.Tensor:
        return action + self.start if self.start else action

    def outputs(self, parameters: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return {"logits": parameters}

    def manifest_entry(self) -> dict[str, Any]:
        return {"type": "categorical", "start": self.start}


@dataclasses.dataclass(frozen=True)
class MultiCategorical:
    """Independent choices, each one of its own number; actions are int32 `[..., choices]` from 0.

    The parameters are the logits of the first choice, then those of the second, and so on.
    """

    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    """what the environment calls 0, for each choice."""
    shape: tuple[int, ...]
    """of the environment's action."""
    constant_size = 0

    @property
    def head_size(self) -> int:
        return sum(self.sizes)

    @property
    def noise_size(self) -> int:
        return sum(self.sizes)

    @property
    def mask_size(self) -> int:
        return sum(self.sizes)

    def apply_mask(self, parameters: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
        return tf.where(allowed, parameters, FORBIDDEN)

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        parts = zip(self._choices, self._split(parameters), self._split(noise), strict=True)
        samples = [choice.sample(logits, u) for choice, logits, u in parts]
        return tf.stack(samples, axis=-1)  # [..., choices]

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        parts = zip(self._choices, self._split(parameters), strict=True)
        modes = [choice.mode(logits) for choice, logits in parts]
        return tf.stack(modes, axis=-1)  # [..., choices]

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        parts = zip(
            self._choices, self._split(parameters), tf.unstack(action, axis=-1), strict=True
        )
        return tf.add_n([choice.log_prob(logits, chosen) for choice, logits, chosen in parts])

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        parts = zip(self._choices, self._split(parameters), strict=True)
        return tf.add_n([choice.entropy(logits) for choice, logits in parts])

    def to_env_action(self, action: tf.Tensor) -> tf.Tensor:
        return with_shape(action + tf.constant(self.starts, action.dtype), self.shape)

    def outputs(self, parameters: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return {"logits": parameters}

    def manifest_entry(self) -> dict[str, Any]:
        return {
            "type": "multi_categorical",
            "nvec": list(self.sizes),
            "start": list(self.starts),
            "shape": list(self.shape),
        }

    @property
    def _choices(self) -> list[Categorical]:
        return [Categorical(size) for size in self.sizes]

    def _split(self, parameters: tf.Tensor) -> list[tf.Tensor]:
        # slices, which unlike tf.split take any leading axes under XLA at no cost
        ends = list(itertools.accumulate(self.sizes))
        return [
            parameters[..., end - size : end] for end, size in zip(ends, self.sizes, strict=True)
        ]


@dataclasses.dataclass(frozen=True)
class Bernoulli:
    """Independent bits that are 1 with probability sigmoid(parameters); int32 `[..., bits]`.

    A mask holds two booleans a bit: whether 0 is allowed, and whether 1 is.
    """

    shape: tuple[int, ...]
    """of the environment's action."""
    constant_size = 0

    @property
    def head_size(self) -> int:
        return math.prod(self.shape)

    @property
    def noise_size(self) -> int:
        return self.head_size

    @property
    def mask_size(self) -> int:
        return 2 * self.head_size

    def apply_mask(self, parameters: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
        zero, one = allowed[..., ::2], allowed[..., 1::2]
        return tf.where(one, tf.where(zero, parameters, -FORBIDDEN), FORBIDDEN)

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        return tf.cast(noise < tf.sigmoid(parameters), tf.int32)

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return tf.cast(parameters > 0, tf.int32)

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        signs = 1 - 2 * tf.cast(action, parameters.dtype)
        return -tf.reduce_sum(tf.nn.softplus(signs * parameters), axis=-1)

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns Σ softplus(l) - l·sigmoid(l) over the bits."""
        bits = tf.nn.softplus(parameters) - parameters * tf.sigmoid(parameters)
        return tf.reduce_sum(bits, axis=-1)

    def to_env_action(self, action: tf.Tensor) -> tf.Tensor:
        return with_shape(action, self.shape)

    def outputs(self, parameters: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return {"logits": parameters}

    def manifest_entry(self) -> dict[str, Any]:
        return {"type": "bernoulli", "shape": list(self.shape)}


def with_shape(action: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Reshapes `[B, size]` to `[B, *shape]`."""
    return action if len(shape) == 1 else tf.reshape(action, [-1, *shape])
