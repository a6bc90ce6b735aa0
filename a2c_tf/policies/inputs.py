"""What a caller of `act` gives, as the batches that a policy's graph takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from serving.errors import InvalidInputError
from serving.inputs import (
    ACTION_MASK,
    KEY_PREFIX,
    OBSERVATION,
    Inputs,
    check_together,
    is_observation,
)
from serving.tensors import Array, TensorSpec

SOURCES = {"b": "bui", "u": "ui", "i": "ui", "f": "fui"}
"""kind of the graph's dtype -> kinds of numbers that are converted to it."""

Bounds = tuple[Array, Array]


class Field(NamedTuple):
    """One input of the graph, as a caller knows it."""

    spec: TensorSpec
    """named as in errors."""
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    """of one row."""
    bounds: Bounds | None
    """lowest and highest value of whole numbers, where the space has them."""

    def read(self, values: ArrayLike) -> tuple[Array, bool]:
        """Returns a batch, and whether `values` are a single row of it.

        Raises:
          InvalidInputError: for another shape or dtype, or a value outside of its range.
        """
        array = self._as_array(values)
        is_single = array.shape == self.shape
        batch = array[np.newaxis] if is_single else array
        if batch.ndim != len(self.shape) + 1 or batch.shape[1:] != self.shape or not len(batch):
            raise InvalidInputError(
                f"{self.spec.name}: received shape {list(array.shape)}; expected {self}"
            )
        if self.dtype.kind == "f" and not np.isfinite(batch).all():
            raise InvalidInputError(f"{self.spec.name}: holds NaN or infinity; expected {self}")
        if self.bounds is not None:
            self._check_bounds(batch, *self.bounds)
        return batch, is_single

    def __str__(self) -> str:
        row = list(self.shape)
        batch = ", ".join(["N", *map(str, row)])
        return f"{self.dtype} of shape {row} for one, or [{batch}] for a batch"

    def _as_array(self, values: ArrayLike) -> Array:
        try:
            array = np.asarray(values)
        except ValueError:
            raise InvalidInputError(
                f"{self.spec.name}: lists of unequal length; expected {self}"
            ) from None
        if array.dtype == self.dtype:
            return array
        if array.dtype.kind not in SOURCES[self.dtype.kind]:
            raise InvalidInputError(f"{self.spec.name}: received {array.dtype}; expected {self}")
        with np.errstate(over="ignore"):  # too large for float32 is infinite, which is refused
            cast = array.astype(self.dtype)
        if self.dtype.kind != "f" and not np.array_equal(cast, array):
            raise InvalidInputError(
                f"{self.spec.name}: holds a value beyond {self.dtype}; expected {self}"
            )
        return cast

    def _check_bounds(self, batch: Array, low: Array, high: Array) -> None:
        outside = (batch < low) | (batch > high)
        if outside.any():
            raise InvalidInputError(
                f"{self.spec.name}: received {batch[outside][0]}; "
                f"expected whole numbers from {low.tolist()} to {high.tolist()}"
            )


class InputReader:
    """Reads observations and masks for a policy.

    Args:
      specs: of the graph's inputs, by name.
      choices: number of choices of each component of a masked action.
      observation_space: as the manifest describes it; None: unknown.
    """

    def __init__(
        self,
        specs: Mapping[str, TensorSpec],
        choices: tuple[int, ...],
        observation_space: Mapping[str, Any] | None,
    ) -> None:
        bounds = dict(_bounds(observation_space or {}))
        self._fields = {
            name: _field(spec, bounds.get(name))
            for name, spec in specs.items()
            if is_observation(name) or name == ACTION_MASK
        }
        self._specs = {name: field.spec for name, field in self._fields.items()}
        self._choices = choices
        self._keys = {name: name.removeprefix(KEY_PREFIX) for name in specs if is_observation(name)}

    def read(
        self, observation: ArrayLike | Mapping[str, ArrayLike], action_mask: ArrayLike | None
    ) -> tuple[Inputs, bool]:
        """Returns the graph's inputs as batches, and whether they are a single row.

        Raises:
          InvalidInputError: where they are not what the policy takes.
        """
        given = self._named(observation)
        if action_mask is not None:
            given[ACTION_MASK] = action_mask
        if given.keys() != self._fields.keys():
            self._refuse_mask(action_mask)
        inputs: Inputs = {}
        singles = set()
        for name, values in given.items():
            inputs[name], is_single = self._fields[name].read(values)
            singles.add(is_single)
        if len(singles) > 1:
            raise InvalidInputError(
                f"{', '.join(spec.name for spec in self._specs.values())}: received one and a "
                "batch together; expected one of each, or a batch of each"
            )
        if len(inputs) > 1:
            check_together(inputs, self._specs, self._choices)
        return inputs, singles.pop()

    def _named(self, observation: Any) -> dict[str, Any]:
        """Returns each array of the observation by the name of its input."""
        if OBSERVATION in self._fields:
            return {OBSERVATION: observation}
        keys = list(self._keys.values())
        if not isinstance(observation, Mapping) or observation.keys() != set(keys):
            received = (
                f"keys {list(observation)}"
                if isinstance(observation, Mapping)
                else type(observation).__name__
            )
            raise InvalidInputError(f"observation: received {received}; expected a dict of {keys}")
        return {name: observation[key] for name, key in self._keys.items()}

    def _refuse_mask(self, action_mask: ArrayLike | None) -> None:
        if action_mask is not None:
            raise InvalidInputError(
                "action_mask: received one, but this policy has no such input; leave it out"
            )
        raise InvalidInputError(f"action_mask: missing; expected {self._fields[ACTION_MASK]}")


def _field(spec: TensorSpec, bounds: Bounds | None) -> Field:
    key = spec.name.removeprefix(KEY_PREFIX)
    label = spec.name if key == spec.name else f"observation[{key!r}]"
    named = TensorSpec(label, spec.dtype, spec.shape)
    return Field(named, np.dtype(spec.dtype), spec.row_shape, bounds)


def _bounds(space: Mapping[str, Any], name: str = OBSERVATION) -> Iterator[tuple[str, Bounds]]:
    """Yields the range of each array that holds whole numbers of a finite space."""
    match space.get("type"):
        case "Dict":
            for key, part in space["spaces"].items():
                yield from _bounds(part, f"{KEY_PREFIX}{key}")
        case "Discrete":
            yield name, (np.array(space["start"]), np.array(space["start"] + space["n"] - 1))
        case "MultiDiscrete":
            start = np.array(space["start"])
            yield name, (start, start + np.array(space["nvec"]) - 1)
        case "MultiBinary":
            yield name, (np.zeros((), np.int64), np.ones((), np.int64))
