"""How far float32 may be off: a network's exact answers, and the size of a float32 step in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from a2c_tf.distributions.discrete import FORBIDDEN
from export.float64 import Change, Traced, in_float64
from export.formats import Runner
from export.inference import Inputs, Outputs
from export.samples import count_of, rows_of

STEP = 2.0**-23
"""from 1 to the next number of float32."""
DRAWS = 4
ROWS = 256
"""that are computed at once: images in float64 are large."""


class Reference(NamedTuple):
    """The answers to N inputs, of outputs that are floats, each by name."""

    exact: Outputs
    """`[N, ...]` float64."""
    step: Outputs
    """`[N, ...]` float64, what a float32 step in all that is summed does to each."""

    def is_free(self, name: str) -> np.ndarray:
        """Returns where the numbers of an output are no constants that a mask set, `[N, ...]`."""
        return np.abs(self.exact[name]) < abs(FORBIDDEN) / 2


def references(traced: Traced, several: Iterable[Inputs]) -> list[Reference]:
    """Returns the reference of each of several sets of inputs.

    With f the function in float64 and θ its weights, constants and inputs, a float32 step of number
    i in row n is

        step_ni = max(s_ni, s_n, median_n s_n, 2⁻²³·|f_ni(θ)|)
        s_ni² = mean over d of (f_ni(θ·(1 + 2⁻²³·u_d)) - f_ni(θ))²,    s_n² = mean over i of s_ni²

    with u_d uniform in (-1, 1) for each number of θ. Rounding in the sums of a network is a small
    change of what is summed (backward error: Higham, 2002, Accuracy and Stability of Numerical
    Algorithms, sections 1.5 and 3.1). What one step does there is a measure of it that knows how
    large the sums inside are, and how far they cancel. Means of row and median are there for
    numbers, and rows, in which the draws happen to cancel.

    Args:
      traced: the function.
      several: sets of inputs, each array `[N, ...]`.
    """
    exact, nearby = in_float64(traced), [in_float64(traced, _shaken(i)) for i in range(DRAWS)]
    return [_reference(exact, nearby, inputs) for inputs in several]


def row_steps(reference: Reference, name: str) -> np.ndarray:
    """Returns the largest step of each row of an output, `[N]`."""
    free = np.where(reference.is_free(name), reference.step[name], 0.0)
    return free.reshape(len(free), -1).max(axis=-1)


def _reference(exact: Runner, nearby: list[Runner], inputs: Inputs) -> Reference:
    answers = _in_chunks(exact, inputs)
    floats = {name: x for name, x in answers.items() if np.issubdtype(x.dtype, np.floating)}
    reference = Reference(floats, {})
    others = [_in_chunks(run, inputs) for run in nearby]
    for name in floats:
        reference.step[name] = _steps(reference, name, np.stack([other[name] for other in others]))
    return reference


def _steps(reference: Reference, name: str, nearby: np.ndarray) -> np.ndarray:
    """The steps of one output, `[N, ...]`, from its answers `[draws, N, ...]` close by."""
    exact, free = reference.exact[name], reference.is_free(name)
    squares = np.where(free, np.square(nearby - exact).mean(axis=0), 0.0)
    numbers = tuple(range(1, exact.ndim))
    counts = np.maximum(1, free.sum(axis=numbers, keepdims=True))
    rows = squares.sum(axis=numbers, keepdims=True) / counts
    moved = np.sqrt(np.maximum(squares, np.maximum(rows, np.median(rows))))
    return np.maximum(moved, np.maximum(STEP * np.abs(exact), np.finfo(np.float32).tiny))


def _shaken(seed: int) -> Change:
    """Moves each number by a step of float32 at most."""
    rng = np.random.default_rng(seed)
    return lambda array: array * (1 + STEP * rng.uniform(-1, 1, array.shape))


def _in_chunks(run: Runner, inputs: Inputs) -> Outputs:
    chunks = [
        run(rows_of(inputs, slice(start, start + ROWS)))
        for start in range(0, count_of(inputs), ROWS)
    ]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
