"""Environments as lines of text, in columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import gymnasium

from a2c_tf.types import EnvSpec

HEADER = ("id", "observation", "actions", "steps", "backends")
UNKNOWN = "-"


class Listed(NamedTuple):
    """Describes an environment that a config can name."""

    id: str
    backends: tuple[str, ...]
    """that have it, and make it where that was tried, in the order of `env.backend=auto`."""
    spec: EnvSpec | None
    """None where it was not made, or cannot be."""
    max_episode_steps: int | None
    """None: there is no limit, or outside of the graph it is not known."""
    failures: tuple[str, ...] = ()
    """a line for each backend that has it and cannot make it."""


def table(rows: Iterable[Listed]) -> str:
    """Returns a line for each environment, in columns as wide as they need."""
    lines = [HEADER, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def leaves_open(row: Listed) -> bool:
    """Returns whether something of the environment is not known."""
    return UNKNOWN in _cells(row)


def _cells(row: Listed) -> tuple[str, ...]:
    limit, backends = row.max_episode_steps, ", ".join(row.backends) or UNKNOWN
    if row.spec is None:
        return row.id, UNKNOWN, UNKNOWN, str(limit or UNKNOWN), backends
    observation, actions = row.spec.observation_space, _actions(row.spec.action_space)
    unlimited = UNKNOWN if row.spec.backend == "gymnasium" else "no limit"
    return row.id, _observation(observation), actions, str(limit or unlimited), backends


def _observation(space: gymnasium.Space) -> str:
    """Returns `float32 (4,)` for a box, with the key before it where there are several."""
    if isinstance(space, gymnasium.spaces.Dict):
        return ", ".join(f"{key}: {_observation(space[key])}" for key in sorted(space))
    return (
        f"{space.dtype} {space.shape}" if isinstance(space, gymnasium.spaces.Box) else _text(space)
    )


def _actions(space: gymnasium.Space) -> str:
    """Returns the number of actions, or the shape of a box."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return str(space.n)
    return f"box {space.shape}" if isinstance(space, gymnasium.spaces.Box) else _text(space)


def _text(space: gymnasium.Space) -> str:
    """Returns the space's own text in one line."""
    return " ".join(str(space).split())
