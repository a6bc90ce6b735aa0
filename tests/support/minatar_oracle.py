"""The `minatar` package as an oracle: its random numbers and its states can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import minatar
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.envs.minatar.board import ACTIONS
from support.rollouts import seed_of

Chance = Callable[[Any, np.ndarray], Sequence[Any]]
"""(oracle, our noise of a step `[K]`) -> the uniform numbers that the oracle then has to draw."""
Encode = Callable[[Any], Any]
"""oracle -> its state as ours, of scalars and of arrays without B."""
Policy = Callable[[Any, np.random.Generator, tuple[str, ...]], Sequence[int]]
"""(our game, numpy's generator, meanings of the actions) -> indices of actions `[B]`."""


class Chosen:
    """Stands for the oracle's `RandomState` and gives the uniform numbers that it was told."""

    def __init__(self, numbers: Sequence[Any] = ()) -> None:
        self._numbers = list(numbers)

    def rand(self, size: int | None = None) -> Any:
        number = self._numbers.pop(0)
        assert np.shape(number) == (() if size is None else (size,))
        return number

    def randint(self, low: int, high: int | None = None, size: int | None = None) -> Any:
        low, high = (0, low) if high is None else (low, high)
        numbers = low + (self.rand(size) * (high - low)).astype(int)
        return numbers if size else int(numbers)


class ChosenMinAtar:
    """MinAtar's environment with our autoreset, and with sticky actions as MinAtar has them."""

    def __init__(self, name: str, ramping: bool = True) -> None:
        self.outer = minatar.Environment(name, difficulty_ramping=ramping)
        self._fresh = True

    @property
    def executed(self) -> int:
        """The action executed last, of MinAtar's six."""
        return self.outer.last_action

    def step(
        self, action: int, start: Sequence[Any], sticky: float, chance: Callable[[Any], Sequence]
    ) -> tuple[np.ndarray, float, bool]:
        """Observation, reward, terminated; the first step of all resets.

        Args:
          action: of MinAtar's six.
          start: the uniform numbers that start an episode.
          sticky: in (0, 1), decides whether the action before is repeated.
          chance: tells the numbers of the step, from the game before it.
        """
        game = self.outer.env
        random = Chosen(start if self._fresh else [sticky, *chance(game)])
        self.outer.random = game.random = random
        if self._fresh:
            game.reset()
            reward, self._fresh = 0.0, False
        else:
            reward, self._fresh = self.outer.act(action)
        return game.state(), reward, self._fresh


class Steps(NamedTuple):
    """What the oracle does from N states, as numpy."""

    before: Any  # a game's state, each leaf [..., N]
    action: np.ndarray  # [N], of MinAtar's six
    noise: np.ndarray  # [K, N] float32
    after: Any
    reward: np.ndarray  # [N]
    terminated: np.ndarray  # [N]
    observation: np.ndarray  # [N, 10, 10, C], of `after`


def record_steps(
    games: Sequence[Any],
    steps: int,
    noise_size: int,
    encode: Encode,
    chance: Chance,
    disturb: Callable[[Any, np.random.Generator], None],
    seed: int = 0,
) -> Steps:
    """Random play of the oracle's `games`, which go on after their end and are disturbed at times.

    A tenth of the steps is disturbed before; the noise is what decides in the game.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for game in games:
        for _ in range(steps):
            game.terminal = False
            if rng.uniform() < 0.1:
                disturb(game, rng)
            before, action = encode(game), int(rng.integers(len(ACTIONS)))
            noise = rng.uniform(size=noise_size).astype(np.float32)
            game.random = Chosen(chance(game, noise))
            reward, terminated = game.act(action)
            rows.append((before, action, noise, encode(game), reward, terminated, game.state()))
    before, action, noise, after, *outcome = zip(*rows, strict=True)
    stacked = (np.stack(leaf) for leaf in outcome)
    return Steps(_stack(before), np.array(action), np.stack(noise, 1), _stack(after), *stacked)


def assert_same_steps(
    env: GraphEnvironment,
    steps: Steps,
    variant: Callable[[Callable], Callable],
    canonical: Callable[[Any], Any] = lambda state: state,
) -> None:
    """`env` does from the same states what the oracle did; `canonical` drops what says nothing."""

    def step(before: Any, action: tf.Tensor, noise: tf.Tensor) -> tuple:
        after, reward, terminated = env.transition(before, action, noise)
        return canonical(after), reward, terminated, env.observe(after)

    # with the minimal actions only those steps can be taken
    names = [ACTIONS[a] for a in steps.action]
    taken = np.array([name in env.spec.action_meanings for name in names])
    indices = [env.spec.action_meanings.index(n) for n, t in zip(names, taken, strict=True) if t]
    before = tf.nest.map_structure(lambda leaf: tf.constant(leaf[..., taken]), steps.before)
    noise = tf.constant(steps.noise[:, taken])
    outcome = variant(step)(before, tf.constant(indices), noise)
    after, reward, terminated, observation = tf.nest.map_structure(lambda t: t.numpy(), outcome)
    for (name, actual), (_, expected) in zip(_leaves(after), _leaves(steps.after), strict=True):
        np.testing.assert_array_equal(actual, expected[..., taken], err_msg=name)
        assert actual.dtype == expected.dtype, name
    np.testing.assert_array_equal(reward, steps.reward[taken])
    np.testing.assert_array_equal(terminated, steps.terminated[taken])
    np.testing.assert_array_equal(observation, steps.observation[taken])


def play_along(
    env: GraphEnvironment,
    name: str,
    steps: int,
    monkeypatch: Any,
    policy: Policy,
    start: Chance = lambda _, noise: noise,
    chance: Chance = lambda _, noise: noise,
    seed: int = 0,
) -> int:
    """Plays `env` and the oracle with the same actions and numbers, asserts that they agree in
    every step, sticky actions and autoresets included, and returns the episodes that ended."""
    rng = np.random.default_rng(seed)
    size = max(env.reset_noise_size, env.step_noise_size)
    noise = rng.uniform(size=(steps + 1, size + 1, env.spec.num_envs)).astype(np.float32)
    # the seed counts the draws, so that it tells which numbers belong to a step
    numbers = tf.constant(noise)
    monkeypatch.setattr(
        "a2c_tf.prng.uniform", lambda shape, seed: tf.reshape(numbers[seed[1]], shape)
    )
    meanings = env.spec.action_meanings
    games = [ChosenMinAtar(name) for _ in range(env.spec.num_envs)]
    step = tf.function(env.step, autograph=False)
    state, time_step = env.reset(seed_of(0))
    action, episodes = [0] * len(games), 0
    for t in range(steps + 1):
        if t > 0:
            action = policy(state.game, rng, meanings)
            state, time_step = step(state, tf.constant(action))
        rows = []
        for i, game in enumerate(games):
            *own, sticky = noise[t, :, i]
            first = np.array(own[: env.reset_noise_size])
            later = np.array(own[: env.step_noise_size])
            numbers_of = lambda oracle, later=later: chance(oracle, later)  # noqa: E731
            full = ACTIONS.index(meanings[action[i]])
            rows.append(game.step(full, start(None, first), sticky, numbers_of))
        observation, reward, terminated = (np.array(leaf) for leaf in zip(*rows, strict=True))
        np.testing.assert_array_equal(time_step.observation, observation)
        np.testing.assert_array_equal(time_step.reward, reward)
        np.testing.assert_array_equal(time_step.last, terminated)
        np.testing.assert_array_equal(time_step.discount, ~terminated)
        executed = [ACTIONS.index(meanings[a]) for a in state.last_action.numpy()]
        assert executed == [game.executed for game in games]
        episodes += int(terminated.sum())
    return episodes


def at_random(game: Any, rng: np.random.Generator, meanings: tuple[str, ...]) -> Sequence[int]:
    """A policy that chooses among all actions alike."""
    return rng.integers(len(meanings), size=len(game[0])).tolist()


def _stack(states: Sequence[Any]) -> Any:
    """States of single games as one, every leaf `[..., N]`."""
    columns = zip(*map(tf.nest.flatten, states), strict=True)
    return tf.nest.pack_sequence_as(states[0], [np.stack(column, axis=-1) for column in columns])


def _leaves(state: Any, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a state and their names."""
    for name, value in zip(state._fields, state, strict=True):
        if isinstance(value, tuple):
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield path + name, value
