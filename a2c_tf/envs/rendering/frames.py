"""Frames: RGB pictures `[H, W, 3]` uint8, and how others' pictures become such."""

from __future__ import annotations

import gymnasium
import numpy as np

from a2c_tf.errors import CommandError, ExitCode
from a2c_tf.spaces import has_channels_first

LONGER_SIDE = 400
"""pixels of a frame."""
Color = tuple[int, int, int]


class DrawingError(CommandError):
    """Says that no picture can be made of an environment."""

    exit_code = ExitCode.BAD_CONFIG


def from_rendering(picture: object) -> np.ndarray:
    """Returns a frame of what an environment's `render()` returned; floats are from 0 to 1.

    Raises:
      DrawingError: where that is no RGB picture.
    """
    pixels = np.asarray(picture)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype == object:
        raise DrawingError(
            f"render() returned {pixels.dtype} of shape {list(pixels.shape)}; "
            "expected an RGB picture [height, width, 3]"
        )
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = np.round(255 * np.clip(pixels, 0, 1))
    return enlarged(pixels.astype(np.uint8))


def is_picture(space: gymnasium.Space) -> bool:
    """Returns whether observations are pictures: grey `[H, W]`, with channels, or a stack."""
    return (
        isinstance(space, gymnasium.spaces.Box)
        and space.dtype == np.uint8
        and 2 <= len(space.shape) <= 4
        and min(sorted(space.shape)[-2:]) > 4
    )


def newest(observation: np.ndarray, is_colored: bool = False) -> np.ndarray:
    """Returns a frame of an observation, the last one where it is a stack.

    Args:
      observation: `[H, W]`, `[H, W, C]`, `[C, H, W]` or a stack `[S, ...]` of the last two; three
        channels are RGB, of any other number the last one is a grey picture.
      is_colored: of any other number the last three are RGB.
    """
    picture = observation[-1] if observation.ndim == 4 else observation
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    if has_channels_first(picture.shape):
        picture = np.moveaxis(picture, 0, -1)
    if is_colored or picture.shape[2] == 3:
        return enlarged(picture[..., -3:])
    return enlarged(np.repeat(picture[..., -1:], 3, axis=2))


def enlarged(frame: np.ndarray) -> np.ndarray:
    """Draws each pixel as a square, as large as LONGER_SIDE allows."""
    factor = max(1, LONGER_SIDE // max(frame.shape[:2]))
    return frame.repeat(factor, axis=0).repeat(factor, axis=1)
