"""The gate that an export must pass: a file is as close to the exact answers as the network is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from a2c_tf.distributions import Distribution
from a2c_tf.errors import CommandError
from export.formats import Runner
from export.inference import Inputs, Outputs
from export.rounding import Reference, row_steps
from export.samples import Samples, count_of, rows_of

BATCHES = (1, 2, 7, 64)
MULTIPLE, STEPS, LARGEST = 4.0, 8.0, 64.0
"""Of 1,400 networks with random weights, of logits up to thousands, none was off by more than 24
float32 steps, and no ONNX file by more than 3 times its network, nor by more than 0.6 of what
passes. A kernel times 1.0001 was off by 15 to 55 times that in the median of each kind of network.
LARGEST is what no sound network comes near, so that one that is wrong excuses no file."""
CLEAR_GAP, RELATIVE_GAP = 1e-4, 2e-5
"""of two logits, absolute and relative to the largest of a row: where they are closer than either,
any of them may win."""
NETWORK = "network"


class ParityError(CommandError):
    """The exported files do not act as the agent; nothing was published."""


class Parity(NamedTuple):
    """How many observations were compared, and how far apart the answers were at most."""

    observations: int
    batches: tuple[int, ...]
    max_difference: dict[str, float]
    """by file, from the network's numbers, relative to the larger of 1 and the number."""
    float32_steps: dict[str, float]
    """of the network and by file, from the exact numbers."""
    allowed_steps: dict[str, float]
    """by output: float32 steps between network and file that pass on real observations."""


class _Compared(NamedTuple):
    """The answers of network or file to one set of inputs, and the steps from the exact ones."""

    answers: list[Outputs]
    """of each batch size."""
    steps: dict[str, float]
    """by output, the largest."""


def check(
    network: Runner,
    files: Mapping[str, Runner],
    samples: Samples,
    references: Sequence[Reference],
    distribution: Distribution,
) -> Parity:
    """Checks every file against the exact answers, over all samples in every batch size.

    With r the largest distance of the network's own numbers from the exact ones in float32 steps
    (see `rounding`), those of a file may be as far as

        MULTIPLE · min(r, LARGEST) + STEPS

    for each output, and greedy actions are the network's where rounding does not decide.

    Args:
      network: in float32.
      files: by name, each as a function.
      samples: real and random ones.
      references: of each of the samples.
      distribution: defines how logits become actions.

    Returns:
      How far apart the answers were at most.

    Raises:
      ParityError: where a number is further away, or a clear action differs.
    """
    difference, steps = dict.fromkeys(files, 0.0), dict.fromkeys((NETWORK, *files), 0.0)
    allowed: dict[str, float] = {}
    for (kind, inputs), reference in zip(samples._asdict().items(), references, strict=True):
        own = _compared(network, inputs, reference)
        limits = {name: MULTIPLE * min(r, LARGEST) + STEPS for name, r in own.steps.items()}
        steps[NETWORK] = max(steps[NETWORK], *own.steps.values())
        allowed = allowed or {name: limits[name] + r for name, r in own.steps.items()}
        for name, run in files.items():
            theirs, where = _compared(run, inputs, reference), f"{name} on {kind} observations"
            _check_numbers(where, theirs.steps, limits, own.steps)
            _check_choices(where, own, theirs, reference, limits, distribution)
            steps[name] = max(steps[name], *theirs.steps.values())
            difference[name] = max(difference[name], _difference(own, theirs, reference))
    return Parity(sum(map(count_of, samples)), BATCHES, difference, steps, allowed)


def _compared(run: Runner, inputs: Inputs, reference: Reference) -> _Compared:
    answers = [_in_batches(run, inputs, size) for size in BATCHES]
    distances = {
        name: [np.max(np.abs(answer[name] - exact) / reference.step[name]) for answer in answers]
        for name, exact in reference.exact.items()
    }
    return _Compared(answers, {name: float(np.max(x)) for name, x in distances.items()})


def _in_batches(run: Runner, inputs: Inputs, size: int) -> Outputs:
    starts = range(0, count_of(inputs), size)
    batches = [run(rows_of(inputs, slice(start, start + size))) for start in starts]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _check_numbers(
    where: str, steps: dict[str, float], limits: dict[str, float], own: dict[str, float]
) -> None:
    for name, limit in limits.items():
        # of a network that answers nan, which is refused, too
        if not steps[name] <= limit:
            raise ParityError(
                f"export refused: {name} of {where} differs from the network's in float64 by "
                f"{steps[name]:.1f} float32 steps, expected {limit:.1f} at most (the network in "
                f"float32: {own[name]:.1f}); nothing was exported"
            )


def _check_choices(
    where: str,
    own: _Compared,
    theirs: _Compared,
    reference: Reference,
    limits: dict[str, float],
    distribution: Distribution,
) -> None:
    """Every choice but those that rounding decides is the same."""
    if "logits" not in limits:
        return
    # two logits that are each off as far as they may be can change places
    off = 2 * (limits["logits"] + own.steps["logits"]) * row_steps(reference, "logits")
    for expected, received in zip(own.answers, theirs.answers, strict=True):
        margins = _margins(expected["logits"], distribution)  # [N, choices]
        sizes = np.abs(expected["logits"])
        largest = np.max(sizes, axis=-1, where=reference.is_free("logits"), initial=0.0)
        blurred = np.maximum(off, np.maximum(CLEAR_GAP, RELATIVE_GAP * largest))
        actions, others = (x["action"].reshape(margins.shape) for x in (expected, received))
        if np.any((actions != others) & (margins > blurred[:, np.newaxis])):
            raise ParityError(f"export refused: {where} acts differently; nothing was exported")


def _difference(own: _Compared, theirs: _Compared, reference: Reference) -> float:
    """The largest difference of all numbers, relative to the larger of 1 and the number."""
    return max(
        float(np.max(np.abs(received[name] - x[name]) / np.maximum(1.0, np.abs(x[name]))))
        for x, received in zip(own.answers, theirs.answers, strict=True)
        for name in reference.exact
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
