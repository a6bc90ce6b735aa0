"""The golden samples of a manifest: outputs of the trained network, to be reproduced."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from serving.errors import InvalidInputError, ModelError
from serving.manifest import GoldenSample
from serving.policy import Policy
from serving.sampling import Discrete, choices_of
from serving.signature import ACTION
from serving.tensors import Array, TensorSpec, decode_row

TOLERANCE = 1e-4
"""of a number relative to max(1, |x|), where the manifest allows no more for its output."""
CLEAR_GAP, RELATIVE_GAP = 1e-4, 2e-5
"""of two logits, absolute and relative to the largest of a row: where they are closer than either,
or than twice what the manifest allows, the export, too, lets any of them win."""
FORBIDDEN = 1e9
"""the size of logits that a mask sets, which do not count for that size."""
SHOWN = 16
"""numbers of an output that an error spells out."""


def check_golden(
    policy: Policy, samples: list[GoldenSample], tolerance: Mapping[str, float]
) -> None:
    """Asserts that `policy` reproduces each sample.

    Args:
      policy: in this process.
      samples: of its manifest.
      tolerance: of its manifest, too: by output, what rounding may do to its numbers, absolute.

    Raises:
      ModelError: where it does not, or a sample is invalid.
    """
    for index, sample in enumerate(samples):
        where = f"golden sample {index}"
        try:
            inputs = _rows("inputs", sample.inputs, policy.inputs)
            expected = _rows("outputs", sample.outputs, policy.outputs)
            received = policy.run(inputs)
        except InvalidInputError as error:
            raise ModelError(f"{where} of its manifest: {error}; export the run again") from None
        for name in expected:
            if not _is_reproduced(name, received, expected, policy, tolerance):
                raise ModelError(
                    f"returns {name} {_shown(received[name])} for {where}, its manifest says "
                    f"{_shown(expected[name])}; export the run again"
                )


def _rows(
    kind: str, values: Mapping[str, msgspec.Raw], specs: Mapping[str, TensorSpec]
) -> dict[str, Array]:
    if values.keys() != specs.keys():
        raise InvalidInputError(f"{kind} {sorted(values)}, expected {sorted(specs)}")
    return {name: decode_row(bytes(values[name]), spec) for name, spec in specs.items()}


def _is_reproduced(
    name: str,
    received: Mapping[str, Array],
    expected: Mapping[str, Array],
    policy: Policy,
    tolerance: Mapping[str, float],
) -> bool:
    ours, theirs = received[name], expected[name]
    if name == ACTION and isinstance(policy.distribution, Discrete):
        blurred = 2 * tolerance.get("logits", 0.0)
        return np.array_equal(ours, theirs) or _is_tied(
            ours, theirs, expected, policy.distribution, blurred
        )
    difference = np.abs(ours.astype(np.float64) - theirs)
    allowed = np.maximum(TOLERANCE * np.maximum(1, np.abs(theirs)), tolerance.get(name, 0.0))
    return bool(np.all(difference <= allowed))


def _is_tied(
    ours: Array,
    theirs: Array,
    expected: Mapping[str, Array],
    distribution: Discrete,
    blurred: float,
) -> bool:
    """Whether rounding decides between the two actions, in every component."""
    logits = expected["logits"]
    sizes = np.abs(logits)
    largest = float(sizes[sizes < FORBIDDEN].max(initial=1.0))
    gap = max(CLEAR_GAP, RELATIVE_GAP * largest, blurred)
    scores, start = choices_of(distribution, logits)
    # [K] indices of each
    chosen, other = (action.reshape(-1).astype(np.int64) - start for action in (ours, theirs))
    return all(
        0 <= i < score.size and 0 <= j < score.size and abs(score[0, i] - score[0, j]) <= gap
        for score, i, j in zip(scores, chosen, other, strict=True)
    )


def _shown(values: Array) -> str:
    return np.array2string(np.asarray(values[0]), threshold=SHOWN, separator=", ")
