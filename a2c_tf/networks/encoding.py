"""Encodings: how each kind of observation becomes numbers for a torso, inside the network."""

from __future__ import annotations

from typing import Any

import gymnasium
import keras
import numpy as np
import tensorflow as tf
from gymnasium import spaces

from a2c_tf.networks.normalization import RunningNormalization
from a2c_tf.spaces import has_channels_first, is_image

LARGEST_SCALE = 2**16
"""of integers that are divided by it; a larger bound is that of the dtype, and says nothing."""


class Planes(keras.layers.Layer):
    """Converts integer images `[B, C, H, W]` up to `bound` to float32 in [0, 1], `[B, H, W, C]`."""

    def __init__(self, bound: float, **settings: Any) -> None:
        super().__init__(autocast=False, **{"dtype": "float32", **settings})
        self.bound = bound
        self.convert = self.in_operations

    def in_operations(self, x: tf.Tensor) -> tf.Tensor:
        """Converts in three passes over the image, where one compiled program needs one."""
        channels_last = keras.ops.transpose(x, (0, 2, 3, 1))  # [B, H, W, C]
        return keras.ops.cast(channels_last, "float32") / self.bound

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return self.convert(x)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bound": self.bound}


def normalizer_name(name: str) -> str:
    """Returns the name of the layer that normalises the array of that name."""
    return f"{name}_normalization"


def encode(
    x: keras.KerasTensor, space: gymnasium.Space, name: str, normalize: bool
) -> keras.KerasTensor:
    """Encodes one array of an observation for a torso.

    Numbers of `Discrete` and `MultiDiscrete` become one-hot; integers of a `Box` are divided by
    their bound, so that pixels lie in [0, 1], up to LARGEST_SCALE; its floats are normalised
    where `normalize` says so.

    Args:
      x: `[B, ...]` in the dtype of the space.
      space: of the array.
      name: of the array, which names the layer that normalises it.
      normalize: whether floats are normalised by running statistics.

    Returns:
      `[B, ...]` float32, images as `[B, H, W, C]`.
    """
    match space:
        case spaces.Discrete():
            return keras.ops.one_hot(x - int(space.start), int(space.n), dtype="float32")
        case spaces.MultiDiscrete():
            return _one_hots(x, space)
        case spaces.Box() if normalize and np.issubdtype(space.dtype, np.floating):
            x = RunningNormalization(name=normalizer_name(name), dtype="float32")(x)
            return _channels_last(x, space)
        case spaces.Box() if _bound(space) > 1 and _is_channels_first(space):
            return Planes(_bound(space))(x)
        case spaces.Box():
            return _scaled(_channels_last(x, space), space)
    return keras.ops.cast(x, "float32")


def _one_hots(x: keras.KerasTensor, space: spaces.MultiDiscrete) -> keras.KerasTensor:
    """Returns a one-hot vector for each number, side by side."""
    sizes = space.nvec.reshape(-1)
    offsets = np.cumsum(sizes) - sizes - space.start.reshape(-1)
    flat = keras.layers.Flatten("channels_last", dtype="float32")(x) + offsets.astype(
        str(space.dtype)
    )  # [B, numbers]
    rows = keras.ops.one_hot(flat, int(sizes.sum()), dtype="float32")  # [B, numbers, sum of sizes]
    return keras.ops.sum(rows, axis=1)


def _scaled(x: keras.KerasTensor, space: spaces.Box) -> keras.KerasTensor:
    x, bound = keras.ops.cast(x, "float32"), _bound(space)
    return x / bound if bound > 1 else x


def _bound(space: spaces.Box) -> float:
    """Returns the largest number of a space of integers, 1 where it is no scale to divide by."""
    bound = float(np.max(space.high))
    is_scale = np.issubdtype(space.dtype, np.integer) and 1 < bound <= LARGEST_SCALE
    return bound if is_scale else 1.0


def _channels_last(x: keras.KerasTensor, space: spaces.Box) -> keras.KerasTensor:
    """Transposes `[B, C, H, W]` to `[B, H, W, C]`."""
    return keras.layers.Permute((2, 3, 1), dtype="float32")(x) if _is_channels_first(space) else x


def _is_channels_first(space: spaces.Box) -> bool:
    return is_image(space) and has_channels_first(space.shape)
