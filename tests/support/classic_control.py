"""What the tests of gymnasium's classic control share: its steps, from any state, and its spec.

class TestContract(ClassicControlContract):
    environment, gymnasium_id = Pendulum, "Pendulum-v1"

    def is_first(self, observation):
        return abs(observation[2]) <= 1
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf
from scipy import stats

from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.types import TimeStep
from support.contract import GraphEnvironmentContract
from support.rollouts import random_actions, rollout, seed_of


class Outcome(NamedTuple):
    """Of a step by gymnasium's environment; each leads with the number of states."""

    state: np.ndarray  # [N, coordinates]
    observation: np.ndarray  # float32
    reward: np.ndarray
    terminated: np.ndarray


def gymnasium_steps(env: Any, states: np.ndarray, actions: np.ndarray) -> Outcome:
    """A step from each of `states` `[N, coordinates]`, in float64."""
    env.reset(seed=0)
    outcomes = []
    for state, action in zip(states, actions, strict=True):
        env.state = state.astype(np.float64)
        observation, reward, terminated, _, _ = env.step(action)
        outcomes.append((env.state, observation, reward, terminated))
    return Outcome(*(np.array(leaf) for leaf in zip(*outcomes, strict=True)))


def game_of(kind: Callable[..., Any], states: np.ndarray) -> Any:
    """`states` `[N, coordinates]` as the NamedTuple `kind` of a graph-native environment."""
    return kind(*tf.unstack(tf.constant(states), axis=1))


def turn_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smallest angle, rad, between the directions `a` and `b`."""
    return np.abs((a - b + np.pi) % (2 * np.pi) - np.pi)


def starts_of(environment: type[GraphEnvironment]) -> np.ndarray:
    """1000 first observations, half of them after an autoreset."""
    env = environment(500, max_episode_steps=1)
    stream = rollout(env, random_actions(env.spec, 2))
    return np.concatenate(stream.observation[[0, 2]])


def assert_uniform(sample: np.ndarray, low: float, high: float) -> None:
    """From all of the interval, and from nowhere else; `sample` is what `starts_of` gives."""
    width = high - low
    assert stats.kstest(sample, stats.uniform(low, width).cdf).pvalue > 0.01
    assert low - 1e-6 <= sample.min() < low + 0.01 * width
    assert high - 0.01 * width < sample.max() <= high + 1e-6


class ClassicControlContract(GraphEnvironmentContract):
    """The contract of environments that a random policy does not end, and gymnasium's spec."""

    environment: type[GraphEnvironment]
    gymnasium_id: str
    # a random policy reaches no goal in so few steps; the ends have tests of their own
    test_termination_at_the_limit_has_discount_0 = None

    def make(self, num_envs: int, max_episode_steps: int = 15, **settings: Any) -> GraphEnvironment:
        return self.environment(num_envs, max_episode_steps=max_episode_steps, **settings)

    def test_the_spec_is_that_of_gymnasium(self) -> None:
        spec, reference = self.environment(1).spec, gymnasium.make(self.gymnasium_id)
        assert spec.id == self.gymnasium_id
        assert spec.observation_space == reference.observation_space
        assert spec.action_space == reference.action_space
        assert spec.max_episode_steps == reference.spec.max_episode_steps

    def test_truncation_at_gymnasiums_limit(self) -> None:
        limit = gymnasium.spec(self.gymnasium_id).max_episode_steps
        for elapsed, last in [(limit - 2, False), (limit - 1, True)]:
            time_step = self._step_after(self.environment(self.num_envs), elapsed)
            assert np.all(time_step.last == last)
            assert np.all(time_step.discount == 1)

    def test_no_limit_never_truncates(self) -> None:
        endless = type("Endless", (self.environment,), {"default_max_episode_steps": None})
        time_step = self._step_after(endless(self.num_envs), 10**6)
        assert not np.any(time_step.last)

    def assert_ends(self, game: Any, action: np.ndarray, reward: float) -> None:
        """A step from `game` must terminate, and the one after it start an episode."""
        env = self.environment(len(action))
        state, _ = env.reset(seed_of(0))
        state, time_step = env.step(state._replace(game=game), tf.constant(action))
        assert np.all(time_step.reward == reward)
        assert np.all(time_step.discount == 0)
        assert np.all(time_step.last)
        _, time_step = env.step(state, tf.constant(action))
        assert np.all(time_step.reward == 0)
        assert np.all(time_step.discount == 1)
        assert not np.any(time_step.last)
        assert all(self.is_first(observation) for observation in time_step.observation.numpy())

    def _step_after(self, env: GraphEnvironment, elapsed: int) -> TimeStep:
        state, _ = env.reset(seed_of(0))
        state = state._replace(elapsed=tf.fill([self.num_envs], elapsed))
        return env.step(state, tf.constant(random_actions(env.spec, 1)[0]))[1]
