"""Small graph-native environments that are learnt in seconds, if at all."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf
from gymnasium import spaces

from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.types import TimeStep

LENGTH = 8
"""steps of an episode."""

OBSERVATIONS: dict[str, gymnasium.Space] = {
    "vector": spaces.Box(-1, 1, (2,), np.float32),
    "discrete": spaces.Discrete(4, start=3),
    "multi": spaces.MultiDiscrete([2, 2], start=[1, -1]),
    "bits": spaces.MultiBinary(2),
    "first": spaces.Box(0, 255, (2, 5, 5), np.uint8),
    "last": spaces.Box(0, 255, (5, 5, 2), np.uint8),
    "dict": spaces.Dict({"low": spaces.Discrete(2), "high": spaces.Box(-1, 1, (1,), np.float32)}),
}
ACTIONS: dict[str, gymnasium.Space] = {
    "discrete": spaces.Discrete(4, start=-2),
    "multi": spaces.MultiDiscrete([2, 2], start=[0, 5]),
    "bits": spaces.MultiBinary(2),
    "box": spaces.Box(-3, 1, (2,), np.float32),
}


def show(kind: str, low: tf.Tensor, high: tf.Tensor) -> Any:
    """Two bits `[B]` int32 as an observation of that kind."""
    bits = tf.stack([low, high], axis=-1)
    pixels = tf.cast(bits, tf.uint8) * 255
    return {
        "vector": tf.cast(2 * bits - 1, tf.float32),
        "discrete": tf.cast(low + 2 * high + 3, tf.int64),
        "multi": tf.cast(bits + tf.constant([1, -1]), tf.int64),
        "bits": tf.cast(bits, tf.int8),
        "first": tf.tile(pixels[:, :, None, None], [1, 1, 5, 5]),
        "last": tf.tile(pixels[:, None, None, :], [1, 5, 5, 1]),
        "dict": {
            "low": tf.cast(low, tf.int64),
            "high": tf.cast(2 * high - 1, tf.float32)[:, None],
        },
    }[kind]


class Bits(NamedTuple):
    """What is to be told; `[B]` int32."""

    low: tf.Tensor
    high: tf.Tensor
    step: tf.Tensor


class Identity(GraphEnvironment[Bits]):
    """Two random bits are shown, and the action that names them pays 1."""

    id = "Identity-v0"
    reset_noise_size = 2
    step_noise_size = 2

    def __init__(
        self, num_envs: int, observation: str = "vector", action: str = "discrete", **_: Any
    ) -> None:
        self._observation, self._action = observation, action
        self.observation_space, self.action_space = OBSERVATIONS[observation], ACTIONS[action]
        super().__init__(num_envs)

    def initial(self, noise: tf.Tensor) -> Bits:
        return self._drawn(noise, tf.zeros(noise.shape[1:], tf.int32))

    def transition(
        self, game: Bits, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[Bits, tf.Tensor, tf.Tensor]:
        after = self._drawn(noise, game.step + 1)
        return after, self._reward(game, action), after.step == LENGTH

    def observe(self, game: Bits) -> Any:
        return show(self._observation, game.low, game.high)

    def _drawn(self, noise: tf.Tensor, step: tf.Tensor) -> Bits:
        bits = tf.cast(noise < 0.5, tf.int32)
        return Bits(bits[0], bits[1], step)

    def _reward(self, game: Bits, action: tf.Tensor) -> tf.Tensor:
        """1 for the right discrete action; for a box, less the further from the right corner."""
        bits = tf.stack([game.low, game.high], axis=-1)
        if self._action == "discrete":
            return tf.cast(action + 2 == game.low + 2 * game.high, tf.float32)
        if self._action == "box":
            goal = tf.cast(bits, tf.float32) * 2 - 2  # at -2 or 0 of [-3, 1]
            return 1 - tf.reduce_mean(tf.abs(action - goal), axis=-1)
        start = [0, 5] if self._action == "multi" else [0, 0]
        return tf.reduce_mean(tf.cast(action - start == bits, tf.float32), axis=-1)


class Masked(GraphEnvironment[Bits]):
    """Action 3 pays 1, 2 pays 0.5, but half of the time 3 is forbidden, and punished by -10."""

    id = "Masked-v0"
    observation_space = spaces.Box(0, 1, (1,), np.float32)
    action_space = spaces.Discrete(4)
    reset_noise_size = 1
    step_noise_size = 1

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)
        self.spec = self.spec._replace(action_mask_size=4)

    def initial(self, noise: tf.Tensor) -> Bits:
        free = tf.cast(noise[0] < 0.5, tf.int32)
        return Bits(free, free, tf.zeros_like(free))

    def transition(
        self, game: Bits, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[Bits, tf.Tensor, tf.Tensor]:
        pay = tf.gather(tf.constant([0.0, 0.0, 0.5, 1.0]), action)
        reward = tf.where((action == 3) & (game.low == 0), -10.0, pay)
        free = tf.cast(noise[0] < 0.5, tf.int32)
        return Bits(free, free, game.step + 1), reward, game.step + 1 == LENGTH

    def observe(self, game: Bits) -> tf.Tensor:
        return tf.zeros([self.spec.num_envs, 1])  # the mask alone tells

    def reset(self, seed: tf.Tensor) -> tuple[Any, TimeStep]:
        state, time_step = super().reset(seed)
        return state, self._with_mask(state, time_step)

    def step(self, state: Any, action: tf.Tensor) -> tuple[Any, TimeStep]:
        state, time_step = super().step(state, action)
        return state, self._with_mask(state, time_step)

    def _with_mask(self, state: Any, time_step: TimeStep) -> TimeStep:
        always = tf.ones([self.spec.num_envs, 3], tf.bool)
        mask = tf.concat([always, state.game.low[:, None] == 1], axis=-1)
        return time_step._replace(action_mask=mask)


class Recall(GraphEnvironment[Bits]):
    """A bit is shown on the first step alone, and must be named on the last one."""

    id = "Recall-v0"
    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)
    reset_noise_size = 1
    delay = 5

    def initial(self, noise: tf.Tensor) -> Bits:
        bit = tf.cast(noise[0] < 0.5, tf.int32)
        return Bits(bit, bit, tf.zeros_like(bit))

    def transition(
        self, game: Bits, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[Bits, tf.Tensor, tf.Tensor]:
        ends = game.step == self.delay
        told = tf.where(action == game.low, 1.0, -1.0)
        return game._replace(step=game.step + 1), tf.where(ends, told, 0.0), ends

    def observe(self, game: Bits) -> tf.Tensor:
        shown = tf.where(game.step == 0, tf.cast(2 * game.low - 1, tf.float32), 0.0)
        asked = tf.cast(game.step == self.delay, tf.float32)
        return tf.stack([shown, asked], axis=-1)
