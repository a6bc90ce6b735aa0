"""The gate that an export must pass: files and network say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from a2c_tf.distributions import Distribution
from a2c_tf.distributions.discrete import FORBIDDEN
from a2c_tf.errors import CommandError
from export.formats import Runner
from export.inference import Outputs
from export.samples import Samples, count_of, rows_of

BATCHES = (1, 2, 7, 64)
TOLERANCE = 1e-5
"""of numbers: a difference relative to the larger of 1 and the number itself. A trained network may
answer random inputs with logits in the hundreds that nearly cancel, and float32 has 7 digits: there
differences are relative to the largest number that any of them gets."""
CLEAR_GAP = 1e-4
"""where the logits of two choices are closer, either may win."""


class ParityError(CommandError):
    """The exported files do not act as the agent; nothing was published."""


class Parity(NamedTuple):
    """How many observations were compared, and how far apart the answers were at most."""

    observations: int
    batches: tuple[int, ...]
    max_difference: dict[str, float]
    """by file, relative as the tolerance is, over all numbers."""


def check(
    reference: Runner, files: Mapping[str, Runner], samples: Samples, distribution: Distribution
) -> Parity:
    """Compares every file with the reference, over all samples in every batch size.

    Args:
      reference: the network itself.
      files: by name, each as a function.
      samples: real and random ones.
      distribution: which tells how logits become actions.

    Raises:
      ParityError: where a number differs by more than the tolerance, or a clear action differs.
    """
    worst = dict.fromkeys(files, 0.0)
    for kind, inputs in samples._asdict().items():
        scales = _scales(reference(inputs), by_number=kind == "real")
        for batch in _batches(count_of(inputs)):
            rows = rows_of(inputs, batch)
            expected, scale = reference(rows), rows_of(scales, batch)
            for name, run in files.items():
                received, where = run(rows), f"{name} on {kind}"
                worst[name] = max(worst[name], _compare(where, expected, received, scale))
                if "logits" in expected:
                    _compare_choices(where, expected, received, scale["logits"], distribution)
    return Parity(sum(map(count_of, samples)), BATCHES, worst)


def _scales(expected: Outputs, by_number: bool) -> Outputs:
    """What a difference is relative to: each number's own size, or that of the largest."""
    sizes = {name: np.abs(x) for name, x in expected.items() if np.issubdtype(x.dtype, np.floating)}
    # those of forbidden choices are no measure of the others
    sizes = {name: np.where(x < abs(FORBIDDEN), x, 0.0) for name, x in sizes.items()}
    return {
        name: np.maximum(1.0, size if by_number else np.full_like(size, size.max()))
        for name, size in sizes.items()
    }


def _batches(count: int) -> Iterator[slice]:
    for size in BATCHES:
        for start in range(0, count, size):
            yield slice(start, start + size)


def _compare(where: str, expected: Outputs, received: Outputs, scale: Outputs) -> float:
    """The largest relative difference of all numbers."""
    largest = 0.0
    for name, sizes in scale.items():
        difference = float(np.max(np.abs(expected[name] - received[name]) / sizes))
        if not difference <= TOLERANCE:
            raise ParityError(
                f"export refused: {name} of {where} observations differs from the network's by "
                f"{difference:.2e}, expected {TOLERANCE:.0e} at most; nothing was written"
            )
        largest = max(largest, difference)
    return largest


def _compare_choices(
    where: str,
    expected: Outputs,
    received: Outputs,
    scale: np.ndarray,
    distribution: Distribution,
) -> None:
    """Every choice but those that rounding decides is the same."""
    margins = _margins(expected["logits"], distribution)  # [N, choices]
    # two logits that are each off by the tolerance may change places
    blurred = np.maximum(CLEAR_GAP, 2 * TOLERANCE * scale.max(axis=-1))
    actions, others = (x["action"].reshape(margins.shape) for x in (expected, received))
    if np.any((actions != others) & (margins > blurred[:, np.newaxis])):
        raise ParityError(
            f"export refused: {where} observations acts differently; nothing was written"
        )


def _margins(logits: np.ndarray, distribution: Distribution) -> np.ndarray:
    """How far the best alternative of each choice is ahead, `[N, choices]`."""
    described = distribution.manifest_entry()
    if described["type"] == "bernoulli":
        return np.abs(logits)
    sizes = described.get("nvec", [logits.shape[-1]])
    choices = np.split(logits, np.cumsum(sizes)[:-1], axis=-1)
    best = [np.sort(np.pad(x, [(0, 0), (1, 0)], constant_values=-np.inf)) for x in choices]
    return np.stack([x[:, -1] - x[:, -2] for x in best], axis=-1)
