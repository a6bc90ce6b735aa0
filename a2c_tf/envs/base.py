"""The one environment contract, and the template for environments that TensorFlow computes.

NEXT_STEP autoreset is the only contract: the step after an episode's last one ignores the action
and returns the first observation of the next episode with reward 0.
https://gymnasium.farama.org/main/api/vector/autoreset
"""

from __future__ import annotations

import abc
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf import prng
from a2c_tf.types import EnvSpec, TimeStep

Game = TypeVar("Game")


class Environment(Protocol):
    """Steps B environments together; `reset` and `step` may be traced by `tf.function`."""

    spec: EnvSpec

    def reset(self, seed: tf.Tensor) -> tuple[Any, TimeStep]:
        """Starts an episode in every environment; `seed` is `[2]` int32."""
        ...

    def step(self, state: Any, action: tf.Tensor) -> tuple[Any, TimeStep]:
        """Steps every environment by `action` `[B, ...]`, or resets those at their end."""
        ...

    def close(self) -> None:
        """Releases processes, emulators and memory; further calls do nothing."""
        ...


class GraphState(NamedTuple):
    """Holds all that a graph-native environment is."""

    game: Any
    """the game's own NamedTuple of `[..., B]`: with B last, a processor's vectors are full."""
    seed: tf.Tensor
    """`[2]` int32, key and counter of the random numbers to come."""
    elapsed: tf.Tensor
    """`[B]` int32, steps of the episode under way."""
    last_action: tf.Tensor
    """`[B, ...]`, which a sticky step repeats; a reset leaves it as it is."""
    last: tf.Tensor
    """`[B]` bool, the episode has ended and the next step resets it."""


class GraphEnvironment(abc.ABC, Generic[Game]):
    """Adds autoreset, truncation, sticky actions and randomness to a game's pure rules.

    A game says what it is by class attributes, and gives its rules as three pure functions over B
    games. All its randomness is the uniform numbers in (0, 1) that they receive, so that a test can
    choose them.

    Args:
      num_envs: B, the number of games.
      max_episode_steps: episodes are truncated after this many steps; None: the game's own limit.
      sticky_action_probability: chance that the last action is repeated instead of the requested
        one; None: the game's own.
    """

    id: str = ""
    """its name in messages and exports; empty: the id it is registered by, or that of the class."""
    observation_space: gymnasium.Space
    action_space: gymnasium.Space
    action_meanings: tuple[str, ...] = ()
    """a name for each discrete action."""
    default_max_episode_steps: int | None = None
    """the game's own limit; None: it never truncates an episode."""
    sticky_action_probability: float = 0.0
    reset_noise_size: int = 0
    """uniform numbers that `initial` consumes for each environment."""
    step_noise_size: int = 0
    """uniform numbers that `transition` consumes for each environment."""
    frames_per_second: int = 30
    """speed of videos."""

    def __init__(
        self,
        num_envs: int,
        max_episode_steps: int | None = None,
        sticky_action_probability: float | None = None,
    ) -> None:
        for name in ("observation_space", "action_space"):
            if not isinstance(space := getattr(self, name, None), gymnasium.Space):
                raise ValueError(
                    f"{type(self).__name__}.{name} is {space!r}; expected a space of "
                    "gymnasium.spaces as a class attribute, or set before super().__init__()"
                )
        limit = self.default_max_episode_steps if max_episode_steps is None else max_episode_steps
        if sticky_action_probability is not None:
            self.sticky_action_probability = sticky_action_probability
        self.spec = EnvSpec(
            id=self.id or type(self).__name__,
            backend="graph",
            num_envs=num_envs,
            observation_space=self.observation_space,
            action_space=self.action_space,
            action_meanings=self.action_meanings,
            max_episode_steps=limit,
        )

    @abc.abstractmethod
    def initial(self, noise: tf.Tensor) -> Game:
        """Returns the first state of an episode, each leaf `[..., B]`.

        Args:
          noise: `[reset_noise_size, B]` float32.
        """

    @abc.abstractmethod
    def transition(
        self, game: Game, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[Game, tf.Tensor, tf.Tensor]:
        """Takes one step by the rules.

        Args:
          game: the state, each leaf `[..., B]`.
          action: `[B, ...]`.
          noise: `[step_noise_size, B]` float32.

        Returns:
          The next state, reward `[B]` float32, terminated `[B]` bool.
        """

    @abc.abstractmethod
    def observe(self, game: Game) -> tf.Tensor:
        """Returns what the agent sees of a state, `[B, *obs]`."""

    def draw(self, state: GraphState) -> np.ndarray:
        """Returns the first environment as an RGB frame `[H, W, 3]` uint8, outside the graph."""
        raise NotImplementedError(f"{self.spec.id} has no picture: expected a method draw(state)")

    def reset(self, seed: tf.Tensor) -> tuple[GraphState, TimeStep]:
        """Starts an episode in every environment; `seed` is `[2]` int32."""
        num_envs = self.spec.num_envs
        noise, seed = self._draw(seed)
        game = self.initial(noise[: self.reset_noise_size])
        state = GraphState(
            game=game,
            seed=seed,
            elapsed=tf.zeros([num_envs], tf.int32),
            last_action=tf.zeros([num_envs, *self.spec.action_shape], self._action_dtype),
            last=tf.zeros([num_envs], tf.bool),
        )
        return state, TimeStep(
            self.observe(game), tf.zeros([num_envs]), tf.ones([num_envs]), state.last
        )

    def step(self, state: GraphState, action: tf.Tensor) -> tuple[GraphState, TimeStep]:
        """Steps every environment, or starts its next episode where the last one has ended."""
        noise, seed = self._draw(state.seed)
        game_noise, sticky_noise = tf.split(noise, self._noise_sizes)
        last_action = self._stick(state, tf.cast(action, self._action_dtype), sticky_noise)
        # an environment starts or goes on: the same numbers serve for either
        step_noise = game_noise[: self.step_noise_size]
        game, reward, terminated = self.transition(state.game, last_action, step_noise)

        resetting = state.last
        terminated &= ~resetting
        elapsed = tf.where(resetting, 0, state.elapsed + 1)
        last = terminated | self._out_of_time(elapsed)
        new_game = self.initial(game_noise[: self.reset_noise_size])
        game = tf.nest.map_structure(lambda new, old: tf.where(resetting, new, old), new_game, game)
        time_step = TimeStep(
            observation=self.observe(game),
            reward=tf.where(resetting, 0.0, reward),
            discount=tf.where(terminated, 0.0, 1.0),
            last=last,
        )
        return GraphState(game, seed, elapsed, last_action, last), time_step

    def close(self) -> None:
        """Does nothing: a graph-native environment holds nothing but its states."""

    @property
    def _action_dtype(self) -> tf.DType:
        dtype = tf.as_dtype(self.spec.action_space.dtype)
        return tf.int32 if dtype.is_integer else dtype

    @property
    def _noise_sizes(self) -> list[int]:
        return [max(self.reset_noise_size, self.step_noise_size), int(self._is_sticky)]

    @property
    def _is_sticky(self) -> bool:
        return self.sticky_action_probability > 0

    def _draw(self, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws all the numbers that a step may need at once: many small draws cost more."""
        noise = prng.uniform([sum(self._noise_sizes), self.spec.num_envs], seed)
        return noise, prng.next_seed(seed)

    def _stick(self, state: GraphState, action: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        repeats = state.last
        if self._is_sticky:
            repeats |= noise[0] < self.sticky_action_probability
        repeats = tf.reshape(repeats, [-1] + [1] * len(self.spec.action_shape))  # [B, 1, ...]
        return tf.where(repeats, state.last_action, action)

    def _out_of_time(self, elapsed: tf.Tensor) -> tf.Tensor:
        if self.spec.max_episode_steps is None:
            return tf.zeros_like(elapsed, tf.bool)
        return elapsed >= self.spec.max_episode_steps


def first(game: Game) -> Game:
    """Returns the first environment's part of leaves `[..., B]`, as numpy arrays."""
    return tf.nest.map_structure(lambda leaf: leaf[..., 0].numpy(), game)
