"""A small graph-native game, and one for each check that breaks what this check looks at."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import GraphEnvironment

LENGTH = 5
"""cells of the walk."""


class Place(NamedTuple):
    """Each field is `[B]`."""

    cell: tf.Tensor  # int32
    level: Any  # int32


class Walk(GraphEnvironment[Place]):
    """Pays 1 in the last cell, where it ends."""

    observation_space: gymnasium.Space = gymnasium.spaces.Box(0, 1, (2,), np.float32)
    action_space: gymnasium.Space = gymnasium.spaces.Discrete(2)
    default_max_episode_steps = 30
    reset_noise_size = 1

    def initial(self, noise: tf.Tensor) -> Place:
        cell = tf.cast(noise[0] * (LENGTH - 1), tf.int32)
        return Place(cell, tf.zeros_like(cell))

    def transition(
        self, game: Place, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[Place, tf.Tensor, tf.Tensor]:
        cell = tf.clip_by_value(game.cell + 2 * action - 1, 0, LENGTH - 1)
        arrived = cell == LENGTH - 1
        return game._replace(cell=cell), tf.cast(arrived, tf.float32), arrived

    def observe(self, game: Place) -> tf.Tensor:
        cell = tf.cast(game.cell, tf.float32) / (LENGTH - 1)
        return tf.stack([cell, 1 - cell], axis=-1)

    def draw(self, state: Any) -> np.ndarray:
        return np.zeros([4, 6, 3], np.uint8)


class Unsupported(Walk):
    action_space = gymnasium.spaces.Box(0, 3, (1,), np.int32)


class Raising(Walk):
    def transition(self, game: Place, action: tf.Tensor, noise: tf.Tensor) -> Any:
        raise KeyError("no such cell")


class Retraced(Walk):
    def initial(self, noise: tf.Tensor) -> Place:
        return super().initial(noise)._replace(level=0)  # a step returns [B]


class WrongType(Walk):
    def observe(self, game: Place) -> tf.Tensor:
        return tf.cast(super().observe(game), tf.float64)


class OutOfBounds(Walk):
    def observe(self, game: Place) -> tf.Tensor:
        return super().observe(game) * 1.25


class NotFinite(Walk):
    def transition(self, game: Place, action: tf.Tensor, noise: tf.Tensor) -> Any:
        after, reward, ends = super().transition(game, action, noise)
        return after, tf.math.log(reward), ends


class AllForbidden(Walk):
    def __init__(self, num_envs: int, **settings: Any) -> None:
        super().__init__(num_envs, **settings)
        self.spec = self.spec._replace(action_mask_size=2)

    def reset(self, seed: tf.Tensor) -> Any:
        return self._masked(*super().reset(seed))

    def step(self, state: Any, action: tf.Tensor) -> Any:
        return self._masked(*super().step(state, action))

    def _masked(self, state: Any, time_step: Any) -> Any:
        inside = state.game.cell > 0
        return state, time_step._replace(action_mask=tf.stack([inside, inside], axis=-1))


class Impure(Walk):
    def transition(self, game: Place, action: tf.Tensor, noise: tf.Tensor) -> Any:
        after, reward, ends = super().transition(game, action, noise)
        return after, reward + tf.random.uniform([self.spec.num_envs]), ends


class Unseeded(Walk):
    """Its first state does not follow from the seed, all others do."""

    def reset(self, seed: tf.Tensor) -> Any:
        anything = tf.random.uniform([2], maxval=1 << 30, dtype=tf.int32)
        return super().reset(anything)


class Shaped(Walk):
    """Pays on the step that starts an episode, too."""

    def step(self, state: Any, action: tf.Tensor) -> Any:
        state, time_step = super().step(state, action)
        return state, time_step._replace(reward=time_step.reward - 0.01)


class Unlimited(Walk):
    def __init__(self, num_envs: int, max_episode_steps: int | None = None, **_: Any) -> None:
        super().__init__(num_envs)


class Entangled(Walk):
    def transition(self, game: Place, action: tf.Tensor, noise: tf.Tensor) -> Any:
        after, reward, ends = super().transition(game, action, noise)
        return after, reward + tf.reduce_mean(tf.cast(after.cell, tf.float32)), ends


class DrawnOnce(Walk):
    """numpy's random number is a constant of each graph, and another in each eager step."""

    def transition(self, game: Place, action: tf.Tensor, noise: tf.Tensor) -> Any:
        after, reward, ends = super().transition(game, action, noise)
        return after, reward + float(np.random.default_rng().random()), ends


class WrongPicture(Walk):
    def draw(self, state: Any) -> np.ndarray:
        return np.zeros([4, 6], np.uint8)


FLAWED: dict[str, type[Walk]] = {
    "spaces": Unsupported,
    "stepping": Raising,
    "tracing": Retraced,
    "shapes": WrongType,
    "bounds": OutOfBounds,
    "finite": NotFinite,
    "masks": AllForbidden,
    "purity": Impure,
    "seeding": Unseeded,
    "autoreset": Shaped,
    "step limit": Unlimited,
    "independence": Entangled,
    "modes": DrawnOnce,
    "drawing": WrongPicture,
}
"""the check that finds it -> the game."""
