"""Small conversions between numpy, gymnasium and TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

ALIGNMENT = 64
"""bytes, to whose multiples TensorFlow aligns its own tensors."""


def reset_seed(seed: np.ndarray) -> int:
    """Returns a vector environment's seed, of 31 bits, for ours, `[2]` int32."""
    entropy = np.random.SeedSequence(seed.astype(np.uint32).tolist())
    return int(entropy.generate_state(1)[0] >> 1)


def aligned_copy(array: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    """Returns a copy that is aligned, so that TensorFlow does not copy it once more."""
    copy = np.empty(array.size + ALIGNMENT, dtype)
    address = copy.__array_interface__["data"][0]
    start = -address % ALIGNMENT // copy.itemsize
    copy = copy[start : start + array.size].reshape(array.shape)
    copy[...] = array
    return copy


class Lives:
    """Notices lost lives, as those of the step before are not in `info`."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def lost(self, info: dict[str, Any]) -> np.ndarray:
        """Returns where there are fewer lives than a step before, `[B]` bool."""
        lives = np.array(info["lives"])
        before, self._before = self._before, lives
        return lives < (lives if before is None else before)
