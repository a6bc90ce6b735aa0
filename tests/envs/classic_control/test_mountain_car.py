"""Both mountain cars against gymnasium's, from the same state, a step at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv
from gymnasium.envs.classic_control.mountain_car import MountainCarEnv
from support.classic_control import (
    ClassicControlContract,
    Outcome,
    assert_uniform,
    game_of,
    gymnasium_steps,
    starts_of,
)
from support.rollouts import Variant

from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.envs.classic_control.mountain_car import (
    CONTINUOUS_FORCE,
    CONTINUOUS_GOAL,
    FORCE,
    GOAL,
    GRAVITY,
    MAX_POSITION,
    MAX_SPEED,
    MIN_POSITION,
    MountainCar,
    MountainCarContinuous,
    MountainCarState,
)

STATES = 3999  # a multiple of the three limits
# gymnasium computes in float64: a step in float32 rounds positions below 2 by 2^-24 and speeds of
# some 0.1 by 2^-28, a few times each; half of these tolerances was seen
TOLERANCES = [2.0**-22, 2.0**-26]
REWARD_TOLERANCE = 2.0**-21  # relative; a square, a product and a difference


def is_start(observation: np.ndarray) -> bool:
    position, velocity = observation
    return bool(-0.6 <= position <= -0.4 and velocity == 0)


@pytest.mark.slow
class TestContract(ClassicControlContract):
    environment, gymnasium_id = MountainCar, "MountainCar-v0"
    tolerance = 1e-6  # rounding differs by mode, 1e-7 a step, and the slope is gentle

    def is_first(self, observation: np.ndarray) -> bool:
        return is_start(observation)

    def test_the_goal_ends_an_episode(self) -> None:
        states = np.tile(np.float32([GOAL - 0.01, 0.03]), (3, 1))
        self.assert_ends(game_of(MountainCarState, states), np.arange(3, dtype=np.int32), -1)


@pytest.mark.slow
class TestContinuousContract(ClassicControlContract):
    environment, gymnasium_id = MountainCarContinuous, "MountainCarContinuous-v0"
    tolerance = 1e-6

    def is_first(self, observation: np.ndarray) -> bool:
        return is_start(observation)

    def test_the_goal_ends_an_episode(self) -> None:
        states = np.tile(np.float32([CONTINUOUS_GOAL - 0.01, 0.03]), (3, 1))
        actions = np.zeros([3, 1], np.float32)
        self.assert_ends(game_of(MountainCarState, states), actions, 100)


class Car(NamedTuple):
    """Ours, gymnasium's, and what their limits depend on."""

    ours: type[GraphEnvironment]
    gymnasium: Any
    actions: np.ndarray
    pushes: np.ndarray  # what the actions add to the velocity
    goal: float


DISCRETE = np.random.default_rng(0).integers(3, size=STATES)
CONTINUOUS = np.random.default_rng(0).uniform(-2, 2, (STATES, 1)).astype(np.float32)  # half clipped
CARS = [
    pytest.param(Car(MountainCar, MountainCarEnv, DISCRETE, FORCE * (DISCRETE - 1), GOAL), id="v0"),
    pytest.param(
        Car(
            MountainCarContinuous,
            Continuous_MountainCarEnv,
            CONTINUOUS,
            CONTINUOUS_FORCE * np.clip(CONTINUOUS[:, 0], -1, 1),
            CONTINUOUS_GOAL,
        ),
        id="continuous",
    ),
]


def states_within(low: tuple[float, float], high: tuple[float, float], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (STATES, 2))


def states_at_the_limits(car: Car) -> np.ndarray:
    """States that the next step carries to a limit, 1e-6 to 1e-3 on either side of it.

    A third each to the left wall, to the goal, and to rest beyond the goal.
    """
    rng = np.random.default_rng(1)
    margin = rng.choice([-1, 1], STATES) * rng.uniform(1e-6, 1e-3, STATES)
    wall, goal, rest = np.split(margin, 3)
    position = [MIN_POSITION + wall, car.goal + goal, rng.uniform(0.51, 0.59, len(rest))]
    velocity = [rng.uniform(-0.05, 0, len(wall)), rng.uniform(-0.05, 0.05, len(goal)), rest]
    after = np.stack([np.concatenate(position), np.concatenate(velocity)], axis=1)
    before = after[:, 0] - after[:, 1]
    return np.stack([before, after[:, 1] - car.pushes + GRAVITY * np.cos(3 * before)], axis=1)


def states_of(case: str, car: Car) -> np.ndarray:
    """`[STATES, 2]` float32, so that both sides start from the very same numbers."""
    states = {
        "valley": states_within((-0.6, -0.01), (-0.4, 0.01), seed=2),
        "reachable": states_within((MIN_POSITION, -MAX_SPEED), (MAX_POSITION, MAX_SPEED), seed=3),
        "arbitrary": states_within((-2, -0.2), (2, 0.2), seed=4),
        "limits": states_at_the_limits(car),
    }
    return states[case].astype(np.float32)


def expectation(case: str, car: Car) -> Outcome:
    return gymnasium_steps(car.gymnasium(), states_of(case, car), car.actions)


@pytest.mark.parametrize("car", CARS)
@pytest.mark.parametrize("case", ["valley", "reachable", "arbitrary", "limits"])
def test_a_step_is_that_of_gymnasium(case: str, car: Car, variant: Variant) -> None:
    expected = expectation(case, car)
    # no state is so close to a limit that float32 might decide otherwise
    assert np.abs(expected.state[:, 0] - car.goal).min() > 5e-7
    env = car.ours(STATES)
    transition = variant(env.transition)
    game = game_of(MountainCarState, states_of(case, car))
    after, reward, terminated = transition(game, car.actions, None)

    actual = np.stack([field.numpy() for field in after], axis=1)
    assert np.all(np.abs(actual - expected.state) <= TOLERANCES)
    np.testing.assert_array_equal(env.observe(after), actual)
    np.testing.assert_array_equal(terminated, expected.terminated)
    np.testing.assert_allclose(reward, expected.reward, rtol=REWARD_TOLERANCE)


@pytest.mark.parametrize("car", CARS)
def test_states_at_the_limits_are_on_both_sides_of_each(car: Car) -> None:
    expected = expectation("limits", car)
    position, velocity = expected.state.T
    stopped = np.split((position == position.min()) & (velocity == 0), 3)
    _, at_goal, at_rest = np.split(expected.terminated, 3)
    assert position.min() == pytest.approx(MIN_POSITION)
    assert 0.4 < stopped[0].mean() < 0.6
    assert 0.2 < at_goal.mean() < 0.3  # half of those beyond it roll back
    assert 0.4 < at_rest.mean() < 0.6


@pytest.mark.parametrize("environment", [MountainCar, MountainCarContinuous])
def test_an_episode_starts_uniformly_in_the_valley_at_rest(
    environment: type[GraphEnvironment],
) -> None:
    position, velocity = starts_of(environment).T
    assert_uniform(position, -0.6, -0.4)
    assert np.all(velocity == 0)


def test_the_action_is_limited_in_the_force_but_not_in_its_cost() -> None:
    env = MountainCarContinuous(2)
    game = game_of(MountainCarState, np.float32([[-0.5, 0], [-0.5, 0]]))
    after, reward, _ = env.transition(game, np.float32([[1], [3]]), None)
    assert after.velocity[0] == after.velocity[1]
    np.testing.assert_allclose(reward, [-0.1, -0.9], rtol=REWARD_TOLERANCE)
