"""Games on a board of cells: planes of bool in colours, each above the one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from a2c_tf.envs.rendering.frames import LONGER_SIDE, Color

EMPTY = (31, 34, 44)
GAP = (20, 22, 30)
GAP_WIDTH = 1  # pixels at each side of a cell


class Layer(NamedTuple):
    """Says how one plane looks."""

    channel: int
    """the number of the plane."""
    color: Color
    inset: int = GAP_WIDTH
    """pixels of the cell at each side that stay as they were, so that small things can be seen
    together with what is below them."""


def draw(planes: np.ndarray, layers: Sequence[Layer]) -> np.ndarray:
    """Returns the frame of `planes` `[H, W, C]`; `layers` from the lowest to the highest."""
    height, width, _ = planes.shape
    size = LONGER_SIDE // max(height, width)
    frame = np.full([height * size, width * size, 3], GAP, np.uint8)
    _fill(frame, size, np.ones([height, width], bool), EMPTY, GAP_WIDTH)
    for layer in layers:
        _fill(frame, size, planes[..., layer.channel] != 0, layer.color, layer.inset)
    return frame


def _fill(frame: np.ndarray, size: int, cells: np.ndarray, color: Color, inset: int) -> None:
    for y, x in np.argwhere(cells) * size:
        frame[y + inset : y + size - inset, x + inset : x + size - inset] = color
