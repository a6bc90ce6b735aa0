"""What MinAtar's games share: a board of 10 by 10 cells, its picture, and six actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import Game, GraphEnvironment, GraphState
from a2c_tf.envs.rendering import boards
from a2c_tf.types import EnvSpec

SIZE = 10
ACTIONS = ("noop", "left", "up", "right", "down", "fire")


class MinAtarGame(GraphEnvironment[Game]):
    """Describes a game named as its class, in one of MinAtar's two versions.

    Args:
      num_envs: B, the number of games.
      version: `v0` has all six actions, `v1` the minimal ones.
      max_episode_steps: as of GraphEnvironment.
      sticky_action_probability: as of GraphEnvironment; MinAtar's own is 0.1.
    """

    sticky_action_probability = 0.1
    frames_per_second = 12
    channels: int
    """planes of an observation."""
    minimal_actions: tuple[str, ...]
    """those that do something in the game."""
    layers: Sequence[boards.Layer]
    """the colours of the planes, since a game is drawn as it is observed."""

    def __init__(
        self,
        num_envs: int,
        version: str = "v1",
        max_episode_steps: int | None = None,
        sticky_action_probability: float | None = None,
    ) -> None:
        self.id = f"MinAtar/{type(self).__name__}-{version}"
        self.observation_space = gymnasium.spaces.Box(0, 1, (SIZE, SIZE, self.channels), dtype=bool)
        self.action_meanings = ACTIONS if version == "v0" else self.minimal_actions
        self.action_space = gymnasium.spaces.Discrete(len(self.action_meanings))
        super().__init__(num_envs, max_episode_steps, sticky_action_probability)

    def draw(self, state: GraphState) -> np.ndarray:
        return boards.draw(self.observe(state.game)[0].numpy(), self.layers)

    def _fill(self, value: int | bool) -> tf.Tensor:
        """Returns `value` for every environment, `[B]`."""
        return tf.fill([self.spec.num_envs], value)


class RampingGame(MinAtarGame[Game]):
    """Describes a game that gets harder with time, unless `ramping` is False."""

    def __init__(self, *arguments: Any, ramping: bool = True, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.ramping = ramping


def chosen(action: tf.Tensor, meaning: str, spec: EnvSpec) -> tf.Tensor:
    """Returns where the action of that meaning is chosen.

    Args:
      action: `[B]` int32.
      meaning: one of ACTIONS; nobody chooses it where the game lacks it.
      spec: says which actions the game has.

    Returns:
      `[B]` bool.
    """
    if meaning not in spec.action_meanings:
        return tf.zeros_like(action, tf.bool)
    return action == spec.action_meanings.index(meaning)
