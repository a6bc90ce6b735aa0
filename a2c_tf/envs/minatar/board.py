"""What MinAtar's games share: a board of 10 by 10 cells, its picture, and six actions."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import Game, GraphEnvironment, GraphState
from a2c_tf.envs.drawing import boards
from a2c_tf.types import EnvSpec

SIZE = 10
ACTIONS = ("noop", "left", "up", "right", "down", "fire")


class MinAtarGame(GraphEnvironment[Game]):
    """A game that is drawn as it is observed, each plane in a colour."""

    frames_per_second = 12
    layers: Sequence[boards.Layer]

    def draw(self, state: GraphState) -> np.ndarray:
        return boards.draw(self.observe(state.game)[0].numpy(), self.layers)


def make_spec(
    name: str,
    channels: int,
    action_meanings: tuple[str, ...],
    num_envs: int,
    max_episode_steps: int | None,
) -> EnvSpec:
    """The spec of `MinAtar/<name>`."""
    return EnvSpec(
        id=f"MinAtar/{name}",
        backend="graph",
        num_envs=num_envs,
        observation_space=gymnasium.spaces.Box(0, 1, (SIZE, SIZE, channels), dtype=bool),
        action_space=gymnasium.spaces.Discrete(len(action_meanings)),
        action_meanings=action_meanings,
        max_episode_steps=max_episode_steps,
    )


def chosen(action: tf.Tensor, meaning: str, spec: EnvSpec) -> tf.Tensor:
    """Where `action` `[B]` is the one of that meaning, `[B]` bool."""
    if meaning not in spec.action_meanings:
        return tf.zeros_like(action, tf.bool)
    return action == spec.action_meanings.index(meaning)


def cell(y: tf.Tensor | int, x: tf.Tensor) -> tf.Tensor:
    """A board that is True at (y, x) alone, `[B, 10, 10]` bool; comparing avoids a scatter."""
    row = tf.reshape(tf.range(SIZE), [1, SIZE, 1]) == tf.reshape(y, [-1, 1, 1])
    column = tf.reshape(tf.range(SIZE), [1, 1, SIZE]) == tf.reshape(x, [-1, 1, 1])
    return row & column
