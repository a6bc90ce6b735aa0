"""Checks of what an environment returned: pure functions of recorded streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces as kinds

from a2c_tf import distributions, spaces
from a2c_tf.envs.checking.findings import Finding, error, ok, place
from a2c_tf.envs.checking.playing import Stream, choice_sizes
from a2c_tf.types import EnvSpec, TimeStep

SMALLEST_POSITIVE = np.finfo(np.float32).tiny
"""EnvPool's lower bound of floats that have none, since C++ calls this number their minimum."""


def check_spaces(spec: EnvSpec) -> Finding:
    """Checks that a network takes the observations, and that there are distributions of actions."""
    for name, space, check in (
        ("observation_space", spec.observation_space, spaces.parts),
        ("action_space", spec.action_space, distributions.for_space),
    ):
        try:
            check(space)
        except ValueError as error:
            return Finding("error", "spaces", name, str(error))
    for name, part in spaces.parts(spec.observation_space).items():
        if 0 in (part.shape or ()):
            return Finding("error", "spaces", name, f"{part} holds no numbers", "leave it out")
    if len(spec.action_meanings) not in (0, getattr(spec.action_space, "n", 0)):
        return Finding(
            "error",
            "spaces",
            "action_meanings",
            f"{len(spec.action_meanings)} names for {spec.action_space}",
            "name each discrete action, or none",
        )
    return ok("spaces", f"{_text(spec.observation_space)}; actions {_text(spec.action_space)}")


def check_shapes(stream: Stream) -> Finding:
    """Checks shapes and dtypes of all that is returned against the spaces."""
    num_envs, space = stream.spec.num_envs, stream.spec.observation_space
    parts = spaces.parts(space)
    for t, row in enumerate(stream.rows):
        if isinstance(space, kinds.Dict) and set(row.observation) != set(space):
            found = f"has the keys {sorted(row.observation)}"
            return error("shapes", f"step {t}, observation", found, f"return {sorted(space)}")
        wanted = {
            **{name: (part.shape or (), part.dtype) for name, part in parts.items()},
            "reward": ((), np.dtype(np.float32)),
            "discount": ((), np.dtype(np.float32)),
            "last": ((), np.dtype(bool)),
        }
        arrays = [*_observed(stream, row).values(), row.reward, row.discount, row.last]
        for (name, (shape, dtype)), array in zip(wanted.items(), arrays, strict=True):
            if array.shape != (num_envs, *shape) or array.dtype != dtype:
                return error(
                    "shapes",
                    f"step {t}, {name}",
                    f"is {array.dtype} of shape {list(array.shape)}",
                    f"return {dtype} of shape {[num_envs, *shape]}, as its space declares",
                )
    return ok("shapes", f"{len(stream.rows)} time steps of {num_envs} environments")


def check_values(stream: Stream) -> Iterator[Finding]:
    """Yields the findings of bounds, finite numbers and masks, of a stream of the right shapes."""
    yield check_bounds(stream)
    yield check_finite(stream)
    yield check_masks(stream)


def check_bounds(stream: Stream) -> Finding:
    """Checks that observations are inside their spaces; what is not finite is another's."""
    bounds = {name: _bounds(p) for name, p in spaces.parts(stream.spec.observation_space).items()}
    for t, row in enumerate(stream.rows):
        for name, array in _observed(stream, row).items():
            low, high = bounds[name]
            wrong = ((array < low) | (array > high)) & np.isfinite(array)
            if np.any(wrong):
                at = tuple(int(i) for i in np.argwhere(wrong)[0])
                limits = (np.broadcast_to(limit, array.shape[1:])[at[1:]] for limit in (low, high))
                return error(
                    "bounds",
                    place(at[0], t, name, at[1:]),
                    f"{array[at]} is outside [{', '.join(str(limit) for limit in limits)}]",
                    "correct the value, or declare a wider space",
                )
    return ok("bounds", "observations inside their space")


def check_finite(stream: Stream) -> Finding:
    """Checks that no number of an observation or reward is NaN or infinite."""
    for t, row in enumerate(stream.rows):
        for name, array in {**_observed(stream, row), "reward": row.reward}.items():
            if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
                at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                return error(
                    "finite",
                    place(at[0], t, name, at[1:]),
                    f"is {array[at]}",
                    "return finite numbers: look for a division by 0, a root or a logarithm",
                )
    return ok("finite", "no NaN, nothing infinite")


def check_masks(stream: Stream) -> Finding:
    """Checks size and dtype of action masks, and that each allows an action."""
    size = stream.spec.action_mask_size
    try:
        wanted = distributions.for_space(stream.spec.action_space).mask_size
    except ValueError:
        wanted = 0
    expected = f"{wanted} booleans, one for each choice of {_text(stream.spec.action_space)}"
    if size not in (0, wanted):
        return error("masks", "spec.action_mask_size", f"is {size}", f"expected {expected}")
    for t, row in enumerate(stream.rows):
        mask = np.asarray(row.action_mask)
        if not size and mask.size:
            found = "there is a mask, and spec.action_mask_size is 0"
            return error("masks", f"step {t}", found, f"set it to {wanted}")
        if size and (mask.shape != (stream.spec.num_envs, size) or mask.dtype != bool):
            found = f"is {mask.dtype} of shape {list(mask.shape)}"
            return error("masks", f"step {t}, action_mask", found, f"return {expected}")
        if size and (wrong := _allows_nothing(stream.spec, mask) & ~row.last).any():
            i = int(np.flatnonzero(wrong)[0])
            return error(
                "masks", place(i, t, "action_mask"), "allows no action", "allow one at least"
            )
    return ok("masks", f"{size} booleans" if size else "there are none")


def _allows_nothing(spec: EnvSpec, mask: np.ndarray) -> np.ndarray:
    sizes = choice_sizes(spec.action_space) or [mask.shape[1]]
    choices = np.split(mask, np.cumsum(sizes)[:-1], axis=1)
    return np.any([~choice.any(axis=1) for choice in choices], axis=0)


def _observed(stream: Stream, row: TimeStep) -> dict[str, np.ndarray]:
    space = stream.spec.observation_space
    arrays = spaces.arrays(space, row.observation)
    return dict(zip(spaces.parts(space), arrays, strict=True))


def _bounds(space: gymnasium.Space) -> tuple[Any, Any]:
    """Returns the least and the largest number, for each of the space or for all."""
    if isinstance(space, kinds.Box):
        return np.where(space.low == SMALLEST_POSITIVE, -np.inf, space.low), space.high
    if isinstance(space, kinds.Discrete):
        return space.start, space.start + space.n - 1
    if isinstance(space, kinds.MultiDiscrete):
        return space.start, space.start + space.nvec - 1
    return 0, 1


def _text(space: gymnasium.Space) -> str:
    return " ".join(str(space).split())
