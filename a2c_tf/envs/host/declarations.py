"""What an environment declares its observations to be, against what it observes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np

log = logging.getLogger(__name__)

Limits = tuple[Any, Any]
"""the least and the largest number, each a scalar or an array of the space's shape."""


class BoundsWarning:
    """Warns once of floats outside of their Box: nothing depends on its bounds, but they are wrong.

    Args:
      env_id: of the environment.
      parts: the space of each array, by name.
    """

    TOLERANCE = 1e-5
    """relative to the bound: environments compute in another precision than they declare."""

    def __init__(self, env_id: str, parts: Mapping[str, gymnasium.Space]) -> None:
        self._env_id = env_id
        self._boxes = {
            name: (space, *self._widened(space))
            for name, space in parts.items()
            if isinstance(space, gymnasium.spaces.Box)
            and space.dtype.kind == "f"
            and (space.bounded_below.any() or space.bounded_above.any())
        }

    def _widened(self, box: gymnasium.spaces.Box) -> Limits:
        """Returns the bounds with the tolerance."""
        with np.errstate(over="ignore"):  # of bounds that are those of the dtype
            low = box.low - self.TOLERANCE * (1 + np.abs(box.low))
            return low, box.high + self.TOLERANCE * (1 + np.abs(box.high))

    def check(self, arrays: Mapping[str, np.ndarray], step: int) -> None:
        """Warns of the first number outside, and is silent from then on.

        Args:
          arrays: `[B, ...]` each, by name.
          step: counted from the reset of all.
        """
        for name, (space, low, high) in self._boxes.items():
            outside = (arrays[name] < low) | (arrays[name] > high)
            if outside.any():
                self._boxes = {}
                index = np.argwhere(outside)[0]
                log.warning(
                    "environment %s: sub-environment %d, step %d: %s holds %s, outside of %s; "
                    "training goes on; declare wider bounds",
                    *(self._env_id, index[0], step, name, arrays[name][tuple(index)], space),
                )
                return


def undeclared(space: gymnasium.Space, array: np.ndarray, shape: tuple[int, ...]) -> str:
    """Returns how an array differs from its declaration.

    Args:
      space: what it is declared to be.
      array: what was observed.
      shape: expected, that of the space or `[B, ...]`.

    Returns:
      The difference in words; empty where there is none.
    """
    if array.shape != shape:
        return f"has shape {list(array.shape)}; its space declares {list(shape)}"
    dtype = space.dtype or array.dtype
    if array.dtype != dtype and not np.can_cast(array.dtype, dtype, "same_kind"):
        return f"has dtype {array.dtype}; its space declares {space.dtype}"
    limits = _limits(space, array.dtype)
    if limits is None:
        return ""
    outside = (array < limits[0]) | (array > limits[1])
    return f"holds {array[outside].flat[0]}; its space is {space}" if outside.any() else ""


def _limits(space: gymnasium.Space, dtype: np.dtype) -> Limits | None:
    """Returns the limits of integers, which one-hot encodings rely on.

    None: nothing is wrong outside, as for floats, or can be there, as for pixels.
    """
    match space:
        case gymnasium.spaces.Discrete():
            return space.start, space.start + space.n - 1
        case gymnasium.spaces.MultiDiscrete():
            return space.start, space.start + space.nvec - 1
        case gymnasium.spaces.MultiBinary():
            return 0, 1
        case gymnasium.spaces.Box() if space.dtype.kind in "iu" and not _fills(space, dtype):
            return space.low, space.high
    return None


def _fills(space: gymnasium.spaces.Box, dtype: np.dtype) -> bool:
    """Returns whether the bounds are those of the dtype, as of pixels; told by their first."""
    info = np.iinfo(space.dtype.name)
    ends = (space.low.flat[0], space.high.flat[0]) if space.low.size else (info.min, info.max)
    return dtype == space.dtype and ends == (info.min, info.max)
