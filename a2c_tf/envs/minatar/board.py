"""What MinAtar's games share: a board of 10 by 10 cells, its picture, and six actions."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import Game, GraphEnvironment, GraphState
from a2c_tf.envs.rendering import boards
from a2c_tf.types import EnvSpec

SIZE = 10
ACTIONS = ("noop", "left", "up", "right", "down", "fire")


class MinAtarGame(GraphEnvironment[Game]):
    """A game, named as its class: `v0` has all six actions, `v1` the minimal ones."""

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
        sticky_action_probability: float = 0.1,
    ) -> None:
        self.sticky_action_probability = sticky_action_probability
        actions = ACTIONS if version == "v0" else self.minimal_actions
        self.spec = EnvSpec(
            id=f"MinAtar/{type(self).__name__}-{version}",
            backend="graph",
            num_envs=num_envs,
            observation_space=gymnasium.spaces.Box(0, 1, (SIZE, SIZE, self.channels), dtype=bool),
            action_space=gymnasium.spaces.Discrete(len(actions)),
            action_meanings=actions,
            max_episode_steps=max_episode_steps,
        )

    def draw(self, state: GraphState) -> np.ndarray:
        return boards.draw(self.observe(state.game)[0].numpy(), self.layers)

    def _fill(self, value: int | bool) -> tf.Tensor:
        """`value` in every environment, `[B]`."""
        return tf.fill([self.spec.num_envs], value)


class RampingGame(MinAtarGame[Game]):
    """A game that gets harder with time, unless `ramping` is False."""

    def __init__(
        self,
        num_envs: int,
        version: str = "v1",
        max_episode_steps: int | None = None,
        sticky_action_probability: float = 0.1,
        ramping: bool = True,
    ) -> None:
        super().__init__(num_envs, version, max_episode_steps, sticky_action_probability)
        self.ramping = ramping


def chosen(action: tf.Tensor, meaning: str, spec: EnvSpec) -> tf.Tensor:
    """Where `action` `[B]` is the one of that meaning, `[B]` bool."""
    if meaning not in spec.action_meanings:
        return tf.zeros_like(action, tf.bool)
    return action == spec.action_meanings.index(meaning)
