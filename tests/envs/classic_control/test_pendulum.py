"""Pendulum against gymnasium's, from the same state, a step at a time."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.envs.classic_control.pendulum import PendulumEnv
from support.classic_control import (
    ClassicControlContract,
    assert_uniform,
    game_of,
    gymnasium_steps,
    starts_of,
    turn_between,
)
from support.rollouts import Variant

from a2c_tf.envs.classic_control.pendulum import MAX_SPEED, TIME_STEP, Pendulum, PendulumState

STATES = 4000
# ours keeps the angle within half a turn and a step of upright, gymnasium's counts the turns
REACHABLE = np.array([np.pi + TIME_STEP * MAX_SPEED, MAX_SPEED])
# gymnasium computes in float64: a step in float32 rounds angles below 4π by 2^-21 and speeds below
# 16 by 2^-21 at most, a few times each; half of these tolerances was seen
ANGLE_TOLERANCE, SPEED_TOLERANCE = 2.0**-20, 2.0**-20
REWARD_TOLERANCE = 2.0**-19  # of the larger of 1 and the reward, which has the angle squared


class TestContract(ClassicControlContract):
    environment, gymnasium_id = Pendulum, "Pendulum-v1"
    # rounding differs by mode, 4e-7 a step, which the fall (about 4/s) multiplies for 0.75 s;
    # 2e-6 was seen
    tolerance = 3e-5

    def is_first(self, observation: np.ndarray) -> bool:
        return bool(abs(observation[2]) <= 1)


def states_within(ranges: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (STATES, 2)) * ranges


def states_at_the_limits() -> np.ndarray:
    """Hanging straight down, speeds that the next step carries to their limit; within 1e-3."""
    rng = np.random.default_rng(1)
    margin = rng.uniform(-1e-3, 1e-3, (STATES, 2))
    states = rng.choice([-1, 1], (STATES, 2)) * (np.array([np.pi, MAX_SPEED]) + margin)
    push = 3 * np.clip(ACTIONS[:, 0], -2, 2) + 15 * np.sin(states[:, 0])
    states[:, 1] -= TIME_STEP * push
    return states


ACTIONS = np.random.default_rng(2).uniform(-4, 4, (STATES, 1)).astype(np.float32)  # half clipped


@pytest.mark.parametrize(
    "states",
    [
        pytest.param(states_within(np.array([0.1, 0.1]), seed=3), id="upright"),
        pytest.param(states_within(REACHABLE, seed=4), id="reachable"),
        pytest.param(states_within(np.array([4 * np.pi, 12]), seed=5), id="arbitrary"),
        pytest.param(states_at_the_limits(), id="limits"),
    ],
)
def test_a_step_is_that_of_gymnasium(states: np.ndarray, variant: Variant) -> None:
    states = states.astype(np.float32)  # so that both sides start from the very same numbers
    expected = gymnasium_steps(PendulumEnv(), states, ACTIONS)
    env = Pendulum(STATES)
    transition = variant(env.transition)
    after, reward, terminated = transition(game_of(PendulumState, states), ACTIONS, None)

    angle, speed = (field.numpy() for field in after)
    assert np.abs(angle).max() <= REACHABLE[0] + ANGLE_TOLERANCE
    assert turn_between(angle, expected.state[:, 0]).max() <= ANGLE_TOLERANCE
    np.testing.assert_allclose(speed, expected.state[:, 1], rtol=0, atol=SPEED_TOLERANCE)
    np.testing.assert_allclose(
        env.observe(after), expected.observation, rtol=0, atol=ANGLE_TOLERANCE
    )
    assert np.all(
        np.abs(reward - expected.reward) <= REWARD_TOLERANCE * -expected.reward.clip(max=-1)
    )
    np.testing.assert_array_equal(terminated, expected.terminated)


def test_states_at_the_limits_are_on_both_sides_of_each() -> None:
    states = states_at_the_limits()
    speeds = np.abs(gymnasium_steps(PendulumEnv(), states, ACTIONS).state[:, 1])
    assert 0.4 < (np.abs(states[:, 0]) > np.pi).mean() < 0.6
    assert 0.4 < (speeds == MAX_SPEED).mean() < 0.6
    assert speeds.min() > MAX_SPEED - 2e-3


def test_an_episode_starts_uniformly_in_angle_and_speed() -> None:
    cos, sin, speed = starts_of(Pendulum).T
    angle = np.arctan2(sin, cos)
    assert_uniform(angle, -np.pi, np.pi)
    assert_uniform(speed, -1, 1)
    assert abs(np.corrcoef(angle, speed)[0, 1]) < 4 / np.sqrt(len(angle))
