"""The inputs that a policy may have, by name, and what must hold between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from serving.errors import InvalidInputError
from serving.tensors import Array, TensorSpec

OBSERVATION = "observation"
KEY_PREFIX = "observation_"
"""of the inputs of a Dict observation, one for each key."""
ACTION_MASK, STATE, RESET = "action_mask", "state_in", "reset"

Inputs = dict[str, Array]
Specs = Mapping[str, TensorSpec]


def is_observation(name: str) -> bool:
    """Returns whether the input of that name is an observation, or an array of one."""
    return name == OBSERVATION or name.startswith(KEY_PREFIX)


def placeholder(spec: TensorSpec, rows: int) -> Array:
    """Returns `rows` of zeros; for a mask, rows that allow everything."""
    return np.full((rows, *spec.row_shape), spec.name == ACTION_MASK, spec.dtype)


def check_together(inputs: Inputs, specs: Specs, choices: Sequence[int]) -> None:
    """Asserts that inputs have as many rows as each other, and that masks leave a choice.

    Args:
      inputs: each valid by itself.
      specs: by the same names; an error names an input as its spec does.
      choices: number of choices of each component of an action, in the order of the mask.

    Raises:
      InvalidInputError: where that does not hold.
    """
    first, *others = inputs
    rows = len(inputs[first])
    for name in others:
        if len(inputs[name]) != rows:
            raise InvalidInputError(
                f"{specs[name].name}: received {len(inputs[name])} rows; "
                f"expected {rows}, as many as {specs[first].name}"
            )
    if ACTION_MASK in inputs:
        _check_mask(inputs[ACTION_MASK], choices)


def _check_mask(mask: NDArray[np.bool_], choices: Sequence[int]) -> None:
    starts = np.cumsum([0, *choices[:-1]])
    allowed = np.logical_or.reduceat(mask, starts, axis=1)  # [N, components]
    if not allowed.all():
        row, component = np.argwhere(~allowed)[0]
        start, end = starts[component], starts[component] + choices[component]
        raise InvalidInputError(
            f"{ACTION_MASK}: row {row} forbids all values {start} to {end - 1}; "
            "expected at least one choice for every component of the action"
        )
