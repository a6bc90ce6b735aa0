"""CartPole against gymnasium's, from the same state, a step at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from support.classic_control import assert_uniform, starts_of
from support.contract import GraphEnvironmentContract
from support.rollouts import Variant

from a2c_tf.envs.classic_control.cartpole import (
    ANGLE_LIMIT,
    POSITION_LIMIT,
    CartPole,
    CartPoleState,
)

STATES = 4000
# gymnasium computes in float64: a step in float32 rounds some 15 times by 2^-24 of accelerations
# below about 60, which the step time then makes small against the state: 3 units in its last place
# were seen, 8 leave room for other processors
RELATIVE, ABSOLUTE = 2.0**-20, 2.0**-22


class TestContract(GraphEnvironmentContract):
    # rounding differs by mode: 2.4e-7 a step below 4 rad/s, which the pole's fall (about 4/s)
    # multiplies until the next reset; the flags have no tolerance
    tolerance = 1e-4

    def make(self, num_envs: int, **settings: Any) -> CartPole:
        return CartPole(num_envs, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        return bool(np.all(np.abs(observation) <= 0.05))


class Outcome(NamedTuple):
    """Of a step by gymnasium's environment; each leads with the number of states."""

    state: np.ndarray  # [N, 4] float64
    observation: np.ndarray  # [N, 4] float32
    reward: np.ndarray
    terminated: np.ndarray


def gymnasium_steps(states: np.ndarray, actions: np.ndarray) -> Outcome:
    env = CartPoleEnv()
    env.reset(seed=0)
    outcomes = []
    for state, action in zip(states, actions, strict=True):
        env.state, env.steps_beyond_terminated = state.astype(np.float64), None
        observation, reward, terminated, _, _ = env.step(int(action))
        outcomes.append((env.state, observation, reward, terminated))
    return Outcome(*(np.array(leaf) for leaf in zip(*outcomes, strict=True)))


def states_around(half_widths: list[float], seed: int) -> np.ndarray:
    """`[STATES, 4]` float32, so that both sides start from the very same numbers."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(-1, 1, (STATES, 4)) * half_widths).astype(np.float32)


def states_at_the_limits() -> np.ndarray:
    """States that the next step carries to within 1e-3 of a limit, on either side of it."""
    states = states_around([1.0, 1.0, 0.1, 1.0], seed=1)
    rng = np.random.default_rng(2)
    side = rng.choice([-1, 1], STATES)
    margin = rng.uniform(-1e-3, 1e-3, STATES)
    half = STATES // 2
    goal = np.where(np.arange(STATES) < half, POSITION_LIMIT, ANGLE_LIMIT) * (side + margin)
    states[:half, 0] = (goal - 0.02 * states[:, 1])[:half]
    states[half:, 2] = (goal - 0.02 * states[:, 3])[half:]
    return states


@pytest.mark.parametrize(
    "states",
    [
        pytest.param(states_around([0.05, 0.05, 0.05, 0.05], seed=3), id="upright"),
        pytest.param(states_around([2.4, 3.0, 0.21, 3.5], seed=4), id="reachable"),
        pytest.param(states_around([4.8, 10.0, 3.2, 10.0], seed=5), id="arbitrary"),
        pytest.param(states_at_the_limits(), id="limits"),
    ],
)
def test_a_step_is_that_of_gymnasium(states: np.ndarray, variant: Variant) -> None:
    actions = np.random.default_rng(6).integers(2, size=STATES)
    expected = gymnasium_steps(states, actions)
    env = CartPole(STATES)
    game = CartPoleState(*tf.unstack(tf.constant(states), axis=1))
    transition = variant(env.transition)
    after, reward, terminated = transition(game, tf.constant(actions), tf.zeros([0, STATES]))

    actual = np.stack([field.numpy() for field in after], axis=1)
    np.testing.assert_allclose(actual, expected.state, rtol=RELATIVE, atol=ABSOLUTE)
    np.testing.assert_array_equal(env.observe(after), actual)
    np.testing.assert_array_equal(reward, expected.reward)
    # closer to a limit than float32 tells apart, either answer is right
    distances = np.abs(np.abs(expected.state[:, [0, 2]]) - [POSITION_LIMIT, ANGLE_LIMIT])
    decided = (distances > 1e-6).all(axis=1)
    assert decided.mean() > 0.99
    np.testing.assert_array_equal(terminated.numpy()[decided], expected.terminated[decided])


def test_states_at_the_limits_are_on_both_sides_of_each() -> None:
    expected = gymnasium_steps(states_at_the_limits(), np.zeros(STATES, int))
    for half in np.split(expected.terminated, 2):
        assert 0.4 < half.mean() < 0.6


def test_an_episode_starts_uniformly_within_the_spread() -> None:
    starts = starts_of(CartPole)
    for coordinate in starts.T:
        assert_uniform(coordinate, -0.05, 0.05)
    correlation = np.corrcoef(starts.T) - np.eye(4)
    assert np.abs(correlation).max() < 4 / np.sqrt(len(starts))


def test_the_spec_is_that_of_gymnasium() -> None:
    spec, reference = CartPole(1).spec, CartPoleEnv()
    assert spec.observation_space == reference.observation_space
    assert spec.action_space == reference.action_space
    assert spec.max_episode_steps == 500
