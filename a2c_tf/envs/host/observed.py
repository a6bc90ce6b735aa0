"""A sample of what an environment has observed, kept while it is stepped for other reasons.

An export is checked on observations that the agent met; to play for them alone would take minutes
where a step of a simulator takes a second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from a2c_tf.types import ObservedSteps

ENOUGH_ROWS = 1024
MOST_BYTES = 2**26


class StepSampler:
    """Keeps every step at first, and ever fewer of them, so that they are spread over all time."""

    def __init__(self) -> None:
        self._kept: list[tuple[np.ndarray, ...]] = []
        self._stride = 1
        self._seen = 0

    def add(self, arrays: Sequence[np.ndarray], last: np.ndarray, masks: list[np.ndarray]) -> None:
        """Keeps the arrays of a step, which nobody may write to afterwards, or skips it.

        Args:
          arrays: `[B, ...]` each, of the observation.
          last: `[B]` bool.
          masks: `[B, M]` bool, the only one, or none.
        """
        self._seen += 1
        if (self._seen - 1) % self._stride:
            return
        self._kept.append((*arrays, last, *masks))
        rows = len(self._kept) * len(last)
        size = len(self._kept) * sum(array.nbytes for array in arrays)
        if len(self._kept) > 1 and (rows >= 2 * ENOUGH_ROWS or size >= MOST_BYTES):
            self._kept = self._kept[::2]
            self._stride *= 2

    def steps(self, num_arrays: int) -> ObservedSteps | None:
        """Returns what was kept; None where nothing was observed.

        Args:
          num_arrays: of an observation.
        """
        if not self._kept:
            return None
        stacked = [np.stack(leaves) for leaves in zip(*self._kept, strict=True)]
        mask = stacked[num_arrays + 1] if len(stacked) > num_arrays + 1 else None
        return ObservedSteps(tuple(stacked[:num_arrays]), stacked[num_arrays], mask)
