"""Gaussians over bounded and unbounded continuous actions, clipped or squashed into the bounds."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.distributions.discrete import with_shape

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(32)


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The range of each dimension of an action; where it is finite, ±1 stands for its ends."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def of(cls, space: gymnasium.spaces.Box) -> Bounds:
        """Returns the bounds of a `Box`."""
        low, high = (tuple(map(float, bound.flat)) for bound in (space.low, space.high))
        return cls(low, high, space.shape, str(space.dtype))

    @property
    def size(self) -> int:
        return len(self.low)

    @property
    def are_finite(self) -> bool:
        return bool(np.isfinite([self.low, self.high]).all())

    @property
    def centre(self) -> np.ndarray:
        """Middle of each bounded action dimension, 0 where unbounded, `[size]` float32."""
        return self._ends.mean(axis=0, dtype=np.float32)

    @property
    def half_range(self) -> np.ndarray:
        """Half the width of each bounded action dimension, 1 where unbounded, `[size]` float32."""
        return (np.diff(self._ends, axis=0)[0] / 2).astype(np.float32)

    def in_env_units(self, action: tf.Tensor) -> tf.Tensor:
        """Returns centre + half_range · action."""
        return self.centre + self.half_range * action

    def clip(self, action: tf.Tensor) -> tf.Tensor:
        """Clips an action in the environment's units to its bounds.

        Args:
          action: `[B, size]` float32.

        Returns:
          `[B, *shape]` in the environment's dtype.
        """
        dtype = tf.as_dtype(self.dtype)
        # bounds of float64 may be no numbers of float32
        action = tf.cast(action, dtype) if dtype.is_floating else action
        low, high = (np.array(x, action.dtype.as_numpy_dtype) for x in (self.low, self.high))
        return with_shape(tf.cast(tf.clip_by_value(action, low, high), dtype), self.shape)

    def manifest_entry(self) -> dict[str, Any]:
        """Returns bounds and shape as plain values; infinite bounds are None."""
        low, high = ([x if math.isfinite(x) else None for x in b] for b in (self.low, self.high))
        return {"low": low, "high": high, "shape": list(self.shape)}

    @property
    def _ends(self) -> np.ndarray:
        """What -1 and 1 stand for, `[2, size]`."""
        ends = np.array([self.low, self.high])
        with np.errstate(over="ignore", invalid="ignore"):
            # the largest number of a dtype is no bound
            bounded = np.isfinite(np.diff(ends, axis=0)[0].astype(np.float32))
        return np.where(bounded, ends, [[-1.0], [1.0]])


@dataclasses.dataclass(frozen=True)
class DiagonalGaussian:
    """Independent normal numbers, clipped to the bounds on their way to the environment.

    The parameters are the means, outputs of the policy head, and the logarithms of the standard
    deviations, which are weights; both are in half ranges of the action, where it has bounds.
    Densities are those before clipping (as everywhere in A2C: the clip belongs to the environment).
    """

    bounds: Bounds
    mask_size = 0

    @property
    def head_size(self) -> int:
        return self.bounds.size

    @property
    def constant_size(self) -> int:
        return self.bounds.size

    @property
    def noise_size(self) -> int:
        return 2 * self.bounds.size

    def apply_mask(self, parameters: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
        raise ValueError("a Gaussian has no choices that a mask could forbid")

    def sample(self, parameters: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        mean, log_std = tf.split(parameters, 2, axis=-1)  # [..., size] each
        return mean + tf.exp(log_std) * standard_normal(noise)

    def mode(self, parameters: tf.Tensor) -> tf.Tensor:
        return parameters[..., : self.bounds.size]

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        mean, log_std = tf.split(parameters, 2, axis=-1)  # [..., size] each
        z = (action - mean) * tf.exp(-log_std)
        return tf.reduce_sum(-0.5 * tf.square(z) - log_std - LOG_SQRT_2PI, axis=-1)

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns Σ log σ + (1 + log 2π) / 2 over the dimensions."""
        _, log_std = tf.split(parameters, 2, axis=-1)  # [..., size]
        return tf.reduce_sum(log_std + 0.5 + LOG_SQRT_2PI, axis=-1)

    def to_env_action(self, action: tf.Tensor) -> tf.Tensor:
        return self.bounds.clip(self.bounds.in_env_units(action))

    def outputs(self, parameters: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Returns mean and log_std, both in the environment's units."""
        mean, log_std = tf.split(parameters, 2, axis=-1)  # [..., size] each
        return {
            "mean": self.bounds.in_env_units(mean),
            "log_std": log_std + np.log(self.bounds.half_range),
        }

    def manifest_entry(self) -> dict[str, Any]:
        return {"type": "gaussian", **self.bounds.manifest_entry()}


class TanhGaussian(DiagonalGaussian):
    """a = tanh(x) with x normal, so that every action lies within its bounds, which are finite.

    Sampled actions are x, since tanh cannot be undone near ±1; densities are those of a:

        log π(a) = log N(x) - Σ log(1 - tanh² x)

    (Haarnoja et al., 2018, appendix C). The greedy action is the median, tanh of the mean.
    """

    def log_prob(self, parameters: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        return super().log_prob(parameters, action) - tf.reduce_sum(_log_slope(action), axis=-1)

    def entropy(self, parameters: tf.Tensor) -> tf.Tensor:
        """Returns H(x) + E[log(1 - tanh² x)], the expectation by Gauss-Hermite quadrature."""
        mean, log_std = tf.split(parameters, 2, axis=-1)  # [..., size] each
        x = mean[..., tf.newaxis] + tf.exp(log_std)[..., tf.newaxis] * np.float32(NODES)
        weights = np.float32(WEIGHTS / WEIGHTS.sum())
        slope = tf.reduce_sum(_log_slope(x) * weights, axis=-1)  # [..., size]
        return super().entropy(parameters) + tf.reduce_sum(slope, axis=-1)

    def to_env_action(self, action: tf.Tensor) -> tf.Tensor:
        # tanh rounds to 1 and the scaling may round past a bound
        return self.bounds.clip(self.bounds.in_env_units(tf.tanh(action)))

    def outputs(self, parameters: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Returns mean and log_std, both before tanh."""
        mean, log_std = tf.split(parameters, 2, axis=-1)  # [..., size] each
        return {"mean": mean, "log_std": log_std}

    def manifest_entry(self) -> dict[str, Any]:
        return {"type": "tanh_gaussian", **self.bounds.manifest_entry()}


def standard_normal(noise: tf.Tensor) -> tf.Tensor:
    """Returns normal numbers `[..., size]` from uniform ones `[..., 2·size]` (Box, Muller, 1958).

    The inverse distribution function would take half as many, but XLA's is off by up to 3e-3.
    """
    radius, angle = tf.split(noise, 2, axis=-1)  # [..., size] each
    return tf.sqrt(-2.0 * tf.math.log(radius)) * tf.cos(2 * math.pi * angle)


def _log_slope(x: tf.Tensor) -> tf.Tensor:
    """Returns log(1 - tanh² x) as 2 (log 2 - x - softplus(-2x)), which does not cancel."""
    return 2.0 * (math.log(2.0) - x - tf.nn.softplus(-2.0 * x))
