"""Observation spaces that are supported, and the arrays that an observation consists of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import gymnasium
from gymnasium import spaces

NAME = "observation"
RESERVED = {"core", "core_state", "heads", "log_std", "policy", "torso", "value", "value_head"}
"""what no key of a Dict can be called: a network's layers have these names."""
SUPPORTED = "Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of these"


def parts(space: gymnasium.Space) -> dict[str, gymnasium.Space]:
    """Returns the space of each array in an observation, by its name in files and networks.

    That is `observation`, or for a `Dict` `observation_<key>` of each key, in the order of
    `tf.nest`, which is alphabetical.

    Raises:
      ValueError: for a space, or a key, that no network takes.
    """
    if not isinstance(space, spaces.Dict):
        return {NAME: _checked(space, "observation space")}
    for key in space:
        _check_key(str(key), [str(other) for other in space if other != key])
    return {
        f"{NAME}_{key}": _checked(space[key], f"observation space, key {key!r}:")
        for key in sorted(space)
    }


def arrays(space: gymnasium.Space, observation: Any) -> list[Any]:
    """Returns the arrays of an observation in the order of `parts`."""
    if isinstance(space, spaces.Dict):
        return [observation[key] for key in sorted(space)]
    return [observation]


def pack(space: gymnasium.Space, arrays: list[Any]) -> Any:
    """Returns the observation that consists of these arrays: a dict, or the only one."""
    if isinstance(space, spaces.Dict):
        return dict(zip(sorted(space), arrays, strict=True))
    (array,) = arrays
    return array


def is_image(space: gymnasium.Space) -> bool:
    """Returns whether the space has height, width and channels."""
    return isinstance(space, spaces.Box) and len(space.shape) == 3


def sides(space: gymnasium.Space) -> tuple[int, int]:
    """Returns height and width of an image."""
    shape = space.shape or ()
    height, width = shape[1:] if has_channels_first(shape) else shape[:2]
    return height, width


def has_channels_first(shape: Sequence[int]) -> bool:
    """Returns whether an image `[a, b, c]` has its channels first: two equal sides are the picture.

    Where no two are equal, or all three, channels are fewer than rows or columns.
    """
    a, b, c = shape
    if (a == b) != (b == c):
        return b == c
    return a < c


def _check_key(key: str, others: Sequence[str]) -> None:
    """Raises a ValueError for a key which networks or files cannot have for a name."""
    if not re.fullmatch(r"\w+", key, re.ASCII):
        wrong = "expected letters, digits and underscores"
    elif key in RESERVED:
        wrong = f"the network's own names are {', '.join(sorted(RESERVED))}"
    elif twins := [other for other in others if other.lower() == key.lower()]:
        wrong = f"but for upper and lower case {twins[0]!r} is the same"
    else:
        return
    raise ValueError(f"observation space has the key {key!r}: {wrong}; rename it in a wrapper")


def _checked(space: gymnasium.Space, where: str) -> gymnasium.Space:
    if not isinstance(
        space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary
    ):
        raise ValueError(
            f"{where} {space} is not supported: expected {SUPPORTED}; "
            "wrap the environment, for instance with env.wrappers=[FlattenObservation]"
        )
    if 0 in (space.shape or ()):
        raise ValueError(f"{where} {space} holds no numbers; leave it out in a wrapper")
    return space
