"""Acrobot against gymnasium's, from the same state, a step at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pytest
from gymnasium.envs.classic_control.acrobot import AcrobotEnv, rk4
from support.classic_control import (
    ClassicControlContract,
    Outcome,
    assert_uniform,
    game_of,
    gymnasium_steps,
    starts_of,
    turn_between,
)
from support.rollouts import Variant

from a2c_tf.envs.classic_control.acrobot import (
    MAX_SPEED_1,
    MAX_SPEED_2,
    TIME_STEP,
    Acrobot,
    AcrobotState,
)

STATES = 3000
RANGES = np.array([np.pi, np.pi, MAX_SPEED_1, MAX_SPEED_2])


def angles_of(observations: np.ndarray) -> np.ndarray:
    """Both angles, rad, `[N, 2]`."""
    return np.arctan2(observations[:, [1, 3]], observations[:, [0, 2]])


@pytest.mark.slow
class TestContract(ClassicControlContract):
    environment, gymnasium_id = Acrobot, "Acrobot-v1"
    # rounding differs by mode, 1e-7 a step near rest; the links swing and do not fall
    tolerance = 1e-5

    def is_first(self, observation: np.ndarray) -> bool:
        coordinates = np.append(angles_of(observation[None]), observation[4:])
        return bool(np.all(np.abs(coordinates) <= 0.1 + 1e-6))  # angles were rounded

    def test_the_goal_ends_an_episode(self) -> None:
        upright = np.tile(np.float32([3, 0.1, 0, 0]), (3, 1))
        self.assert_ends(game_of(AcrobotState, upright), np.arange(3, dtype=np.int32), reward=0)


def differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Between states `[N, 4]`, angles by direction."""
    return np.concatenate([turn_between(a, b)[:, :2], np.abs(a - b)[:, 2:]], axis=1)


def states_within(ranges: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (STATES, 4)) * ranges


def states_of_episodes() -> np.ndarray:
    """Met by policies that push at random, with the second link and with the first."""
    env, rng, states = AcrobotEnv(), np.random.default_rng(1), []
    for seed in range(STATES // 250):
        env.reset(seed=seed)
        for _ in range(250):
            states.append(env.state)
            energetic = 2 if env.state[2 + seed % 2] > 0 else 0
            env.step(energetic if seed % 3 else int(rng.integers(3)))
    return np.array(states)


def states_at_the_limits() -> np.ndarray:
    """States that the next step carries to about a limit, on either side of it.

    The first half to the goal's height, the second to angles of ±π; found by a step back in time.
    """
    rng, half = np.random.default_rng(2), STATES // 2
    after = states_within(np.array([np.pi, np.pi, 2, 4]), seed=3)
    margin = rng.uniform(-1e-2, 1e-2, STATES)
    first = rng.choice([-1, 1], half) * rng.uniform(np.pi / 2 + 0.1, np.pi - 0.1, half)
    second = rng.choice([-1, 1], half) * np.arccos(-1 + margin[:half] - np.cos(first)) - first
    after[:half, :2] = np.stack([first, second], axis=1)
    after[half:, :2] = np.pi + margin.reshape(half, 2)[:, [0, 1]]
    augmented = np.column_stack([after, ACTIONS - 1])
    return np.array([rk4(AcrobotEnv()._dsdt, state, [0, -TIME_STEP]) for state in augmented])


ACTIONS = np.random.default_rng(4).integers(3, size=STATES)
CASES: dict[str, Callable[[], np.ndarray]] = {
    "hanging": lambda: states_within(np.full(4, 0.1), seed=5),
    "episodes": states_of_episodes,
    "arbitrary": lambda: states_within(RANGES, seed=6),
    "limits": states_at_the_limits,
}


@functools.cache
def states_of(case: str) -> np.ndarray:
    """`[STATES, 4]` float32, so that both sides start from the very same numbers."""
    return CASES[case]().astype(np.float32)


@functools.cache
def expectation(case: str) -> tuple[Outcome, np.ndarray]:
    """gymnasium's outcome, and by how much float32 may differ from it, `[STATES, 4]`.

    gymnasium computes in float64. The speeds at their bounds make a step of 0.2 s so steep that
    the last digits of the state before decide the third digit of the state after; so the allowance
    is what moving each coordinate by 2^-20 of it, 8 units in the last place of float32, does to
    gymnasium's own step, and 2^-20 for the rounding of the result. 0.63 of it was seen.
    """
    states = states_of(case).astype(np.float64)
    expected = gymnasium_steps(AcrobotEnv(), states, ACTIONS)
    allowance = np.full(states.shape, 2.0**-20)
    for coordinate in range(4):
        moved = states.copy()
        moved[:, coordinate] *= 1 + 2.0**-20
        outcome = gymnasium_steps(AcrobotEnv(), moved, ACTIONS)
        allowance += differences(outcome.state, expected.state)
    return expected, allowance


@pytest.mark.parametrize("case", CASES)
def test_a_step_is_that_of_gymnasium(case: str, variant: Variant) -> None:
    expected, allowance = expectation(case)
    assert np.median(allowance) < 3e-5
    env = Acrobot(STATES)
    transition = variant(env.transition)
    after, reward, terminated = transition(game_of(AcrobotState, states_of(case)), ACTIONS, None)

    actual = np.stack([field.numpy() for field in after], axis=1)
    assert np.all(np.abs(actual) <= np.float32(RANGES))
    assert np.all(differences(actual, expected.state) <= allowance)
    observation = env.observe(after).numpy()
    observation_allowance = allowance[:, [0, 0, 1, 1, 2, 3]]
    assert np.all(np.abs(observation - expected.observation) <= observation_allowance)
    # closer to the goal's height than float32 tells apart, either answer is right
    decided = np.abs(heights(expected.state) - 1) > 2 * allowance[:, 0] + allowance[:, 1]
    assert decided.mean() > 0.99
    np.testing.assert_array_equal(terminated.numpy()[decided], expected.terminated[decided])
    np.testing.assert_array_equal(reward, np.where(terminated, 0, -1))


def heights(states: np.ndarray) -> np.ndarray:
    """Of the free end above the fixed one, m."""
    return -np.cos(states[:, 0]) - np.cos(states[:, 0] + states[:, 1])


def test_the_reward_is_that_of_gymnasium() -> None:
    for case in CASES:
        expected, _ = expectation(case)
        np.testing.assert_array_equal(expected.reward, np.where(expected.terminated, 0, -1))


def test_states_at_the_limits_are_on_both_sides_of_each() -> None:
    expected, _ = expectation("limits")
    below, turned = np.split(expected.state, 2)
    assert np.abs(heights(below) - 1).max() < 0.02
    assert 0.4 < np.split(expected.terminated, 2)[0].mean() < 0.6
    assert np.abs(turned[:, :2]).min() > np.pi - 0.03
    assert np.all(np.abs((turned[:, :2] > 0).mean(axis=0) - 0.5) < 0.1)


def test_arbitrary_states_reach_the_speed_limits() -> None:
    speeds = np.abs(expectation("arbitrary")[0].state[:, 2:])
    assert np.all((speeds == [MAX_SPEED_1, MAX_SPEED_2]).mean(axis=0) > 0.05)


def test_an_episode_starts_uniformly_within_the_spread() -> None:
    observations = starts_of(Acrobot)
    starts = np.concatenate([angles_of(observations), observations[:, 4:]], axis=1)
    for coordinate in starts.T:
        assert_uniform(coordinate, -0.1, 0.1)
    correlation = np.corrcoef(starts.T) - np.eye(4)
    assert np.abs(correlation).max() < 4 / np.sqrt(len(starts))
