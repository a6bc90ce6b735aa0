"""How each kind of observation becomes numbers that a torso can read, inside the network."""

from __future__ import annotations

import gymnasium
import keras
import numpy as np
from gymnasium import spaces

from a2c_tf.normalization import RunningNormalization
from a2c_tf.spaces import is_image


def normalizer_name(name: str) -> str:
    """Of the layer that normalises the array of that name."""
    return f"{name}_normalization"


def encode(
    x: keras.KerasTensor, space: gymnasium.Space, name: str, normalize: bool
) -> keras.KerasTensor:
    """What a torso reads of one array: float32 `[B, ...]`, images as NHWC.

    Numbers of `Discrete` and `MultiDiscrete` become one-hot; integers of a `Box` are divided by
    their bound, so that pixels lie in [0, 1]; its floats are normalised where `normalize` says so.
    """
    match space:
        case spaces.Discrete():
            return keras.ops.one_hot(x - int(space.start), int(space.n))
        case spaces.MultiDiscrete():
            return _one_hots(x, space)
        case spaces.Box() if normalize and np.issubdtype(space.dtype, np.floating):
            x = RunningNormalization(name=normalizer_name(name))(x)
            return _channels_last(x, space)
        case spaces.Box():
            return _scaled(_channels_last(x, space), space)  # bytes are moved faster than floats
    return keras.ops.cast(x, "float32")


def _one_hots(x: keras.KerasTensor, space: spaces.MultiDiscrete) -> keras.KerasTensor:
    """A one-hot vector for each number, side by side."""
    sizes = space.nvec.reshape(-1)
    offsets = np.cumsum(sizes) - sizes - space.start.reshape(-1)
    flat = keras.layers.Flatten()(x) + offsets.astype(str(space.dtype))  # [B, numbers]
    return keras.ops.sum(keras.ops.one_hot(flat, int(sizes.sum())), axis=1)


def _scaled(x: keras.KerasTensor, space: spaces.Box) -> keras.KerasTensor:
    x = keras.ops.cast(x, "float32")
    bound = float(np.max(space.high))
    return x / bound if np.issubdtype(space.dtype, np.integer) and bound > 1 else x


def _channels_last(x: keras.KerasTensor, space: spaces.Box) -> keras.KerasTensor:
    """An image has fewer channels than rows or columns, which tells where they are."""
    if is_image(space) and space.shape[0] < space.shape[2]:
        return keras.layers.Permute((2, 3, 1))(x)
    return x
