"""Freeway against the `minatar` package: steps from chosen states, and whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from minatar.environments import freeway as oracle
from scipy import stats
from support import minatar_oracle
from support.contract import GraphEnvironmentContract
from support.minatar_oracle import Steps
from support.rollouts import random_actions, rollout, seed_of

from a2c_tf.envs.minatar import freeway
from a2c_tf.envs.minatar.board import ACTIONS
from a2c_tf.envs.minatar.freeway import Freeway, FreewayState


@pytest.mark.slow
class TestContract(GraphEnvironmentContract):
    @pytest.fixture(autouse=True)
    def short_episodes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(freeway, "TIME_LIMIT", 10)

    def make(self, num_envs: int, **settings: Any) -> Freeway:
        return Freeway(num_envs, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        chicken, cars, trails = np.split(observation, [1, 2], axis=-1)
        behind = trails.any(axis=-1)
        return (
            chicken.sum() == 1
            and chicken[9, 4].all()
            and np.array_equal(np.argwhere(cars[..., 0]), [(row, 0) for row in range(1, 9)])
            and trails.sum() == 8
            and (behind[1:9, 1] ^ behind[1:9, 9]).all()
        )


@pytest.mark.parametrize(("version", "meanings"), [("v0", ACTIONS), ("v1", ("noop", "up", "down"))])
def test_the_defaults_are_those_of_minatar(version: str, meanings: tuple[str, ...]) -> None:
    env = Freeway(1, version)
    assert env.spec.action_meanings == meanings
    assert env.sticky_action_probability == 0.1
    assert env.spec.max_episode_steps is None


def encode(game: oracle.Env) -> FreewayState:
    column, _, timer, speed = np.array(game.cars, np.int32).T
    return FreewayState(
        chicken=np.int32(game.pos),
        car=np.pad(column, 1),
        speed=np.pad(speed, 1),
        car_timer=np.pad(timer, 1),
        move_timer=np.int32(game.move_timer),
        time_left=np.int32(game.terminate_timer),
    )


def canonical(game: FreewayState) -> FreewayState:
    """The first and the last row have no car, of which numbers there say nothing."""
    has_car = np.isin(np.arange(10), range(1, 9))[:, np.newaxis]
    car, speed, timer = (tf.where(has_car, x, 0) for x in (game.car, game.speed, game.car_timer))
    return game._replace(car=car, speed=speed, car_timer=timer)


def speeds(_: Any, noise: np.ndarray) -> list[np.ndarray]:
    """The oracle's numbers for eight magnitudes and eight signs, of ours for five pairs of rows.

    It draws them where the chicken gets across, and when an episode starts.
    """
    pair = np.floor(noise * np.float32(100))
    number = np.concatenate([pair // 10, pair % 10])[1:9] - 5  # -5 to 4
    magnitude = np.where(number < 0, -number, number + 1)
    return [(magnitude - 0.5) / 5, np.where(number < 0, 0.25, 0.75)]


def disturb(game: oracle.Env, rng: np.random.Generator) -> None:
    """Any row but that of the reward, cars near the chicken's column, time running out."""
    speed = rng.integers(1, 6, size=8) * rng.choice([-1, 1], size=8)
    timer = rng.integers(np.abs(speed) + 1)
    column = np.where(
        rng.uniform(size=8) < 0.5, rng.integers(3, 6, size=8), rng.integers(10, size=8)
    )
    rows = zip(column, range(1, 9), timer, speed, strict=True)
    game.cars = [[int(number) for number in car] for car in rows]
    game.pos, game.move_timer = int(rng.integers(1, 10)), int(rng.integers(2))
    game.terminate_timer = int(rng.integers(20))


@pytest.fixture(scope="module")
def recorded() -> Steps:
    return minatar_oracle.record_steps([oracle.Env()], 8000, 5, encode, speeds, disturb)


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_a_step_is_that_of_minatar(recorded: Steps, version: str, variant: Callable) -> None:
    hit = (recorded.after.chicken == 9) & (recorded.before.chicken < 8)
    assert hit.sum() > 100
    assert (recorded.reward > 0).sum() > 20 and recorded.terminated.sum() > 100
    env = Freeway(len(recorded.action), version)
    minatar_oracle.assert_same_steps(env, recorded, variant, canonical)


def hurry(game: FreewayState, rng: np.random.Generator, meanings: tuple[str, ...]) -> list[int]:
    """A policy that crosses often: up, and now and then anything."""
    stray = rng.uniform(size=len(game.chicken)) < 0.2
    actions = np.where(stray, rng.integers(len(meanings), size=len(stray)), meanings.index("up"))
    return actions.tolist()


@pytest.mark.slow
def test_whole_episodes_are_those_of_minatar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeway, "TIME_LIMIT", 120)
    monkeypatch.setattr(oracle, "time_limit", 120)
    episodes = minatar_oracle.play_along(
        Freeway(32, "v0"), "freeway", 1000, monkeypatch, hurry, start=speeds, chance=speeds
    )
    assert episodes == 32 * 8  # of 121 steps, and one for the reset


@pytest.mark.slow
def test_an_episode_has_2501_steps_and_ends_in_termination() -> None:
    env = Freeway(2)
    stream = rollout(env, random_actions(env.spec, 2502), variant=tf.function)
    assert np.flatnonzero(stream.last[:, 0]).tolist() == [2501]
    assert np.flatnonzero(stream.discount[:, 0] == 0).tolist() == [2501]


def test_a_crossing_keeps_the_cars_where_they_are_and_draws_speeds_anew() -> None:
    env = Freeway(1)
    before = env.initial(tf.fill([5, 1], 0.445))  # number 44: all leftward, speed 1
    before = before._replace(chicken=tf.constant([1]), move_timer=tf.constant([0]))
    up = tf.constant([env.spec.action_meanings.index("up")])
    after, reward, _ = env.transition(before, up, tf.fill([5, 1], 0.995))
    assert reward.numpy().tolist() == [1.0]
    assert after.chicken.numpy().tolist() == [9]
    assert np.all(before.speed == -1) and np.all(after.speed == 5)
    assert np.all(after.car_timer == 4)
    np.testing.assert_array_equal(after.car, before.car)


def test_every_speed_is_drawn_alike_and_for_each_row_alone() -> None:
    state, _ = Freeway(1000).reset(seed_of(0))
    speed = state.game.speed.numpy()
    values, counts = np.unique(speed, return_counts=True)
    assert values.tolist() == [-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]
    assert stats.chisquare(counts).pvalue > 0.01
    correlation = np.corrcoef(speed) - np.eye(10)
    assert np.abs(correlation).max() < 4 / np.sqrt(1000)
