"""Asterix against the `minatar` package: steps from chosen states, and whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from minatar.environments import asterix as oracle
from support import minatar_oracle
from support.contract import GraphEnvironmentContract
from support.minatar_oracle import Steps

from a2c_tf.envs.minatar.asterix import Asterix, AsterixState
from a2c_tf.envs.minatar.board import ACTIONS

VERSIONS = ["v0", "v1"]
SCALARS = {  # our fields in the oracle's names
    "player_y": "player_y",
    "player_x": "player_x",
    "spawn_timer": "spawn_timer",
    "move_timer": "move_timer",
    "spawn_period": "spawn_speed",
    "move_period": "move_speed",
    "ramp_timer": "ramp_timer",
    "ramps": "ramp_index",
}


@pytest.mark.slow
class TestContract(GraphEnvironmentContract):
    steps = 60
    starts_vary = False

    def make(self, num_envs: int, **settings: Any) -> Asterix:
        return Asterix(num_envs, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        return observation.sum() == 1 and observation[5, 5, 0]


@pytest.mark.parametrize(("version", "meanings"), [("v0", ACTIONS), ("v1", ACTIONS[:5])])
def test_the_defaults_are_those_of_minatar(version: str, meanings: tuple[str, ...]) -> None:
    env = Asterix(1, version)
    assert env.spec.action_meanings == meanings
    assert env.sticky_action_probability == 0.1
    assert env.spec.max_episode_steps is None
    assert env.ramping


def encode(game: oracle.Env) -> AsterixState:
    boards = {"enemies": np.zeros(10, np.int32), "gold": np.zeros(10, np.int32)}
    rightward = np.zeros(10, bool)
    for x, y, goes_right, is_gold in filter(None, game.entities):
        boards["gold" if is_gold else "enemies"][y] = 1 << x
        rightward[y] = goes_right
    scalars = {ours: np.int32(getattr(game, theirs)) for ours, theirs in SCALARS.items()}
    return AsterixState(**boards, rightward=rightward, **scalars)


def canonical(game: AsterixState) -> AsterixState:
    """The direction of an empty row says nothing."""
    return game._replace(rightward=game.rightward & ((game.enemies | game.gold) != 0))


def chance(game: oracle.Env, noise: np.ndarray) -> list:
    """Side, kind and row; the row only where one is free."""
    if game.spawn_timer > 0:
        return []
    return list(noise) if None in game.entities else list(noise[:2])


def disturb(game: oracle.Env, rng: np.random.Generator) -> None:
    """Any difficulty, with rows from all empty to all taken."""
    game.player_x, game.player_y = int(rng.integers(10)), int(rng.integers(1, 9))
    game.spawn_speed, game.move_speed = int(rng.integers(1, 11)), int(rng.integers(1, 6))
    game.spawn_timer = int(rng.integers(game.spawn_speed))
    game.move_timer = int(rng.integers(game.move_speed))
    game.ramp_timer, game.ramp_index = int(rng.integers(-1, 3)), int(rng.integers(20))
    taken = rng.uniform(size=8) < rng.choice([0.0, 0.5, 1.0])
    entities = [[int(rng.integers(10)), row, *(rng.uniform(size=2) < 0.5)] for row in range(1, 9)]
    game.entities = [entity if t else None for entity, t in zip(entities, taken, strict=True)]


def oracle_steps(ramping: bool) -> Steps:
    games = [oracle.Env(ramping=ramping)]
    return minatar_oracle.record_steps(games, 6000, 3, encode, chance, disturb)


@pytest.fixture(scope="module", params=[True, False], ids=["ramping", "level"])
def recorded(request: pytest.FixtureRequest) -> tuple[bool, Steps]:
    return request.param, oracle_steps(request.param)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_step_is_that_of_minatar(
    recorded: tuple[bool, Steps], version: str, variant: Callable
) -> None:
    ramping, steps = recorded
    assert (steps.after.ramps > steps.before.ramps).any() == ramping
    assert steps.terminated.sum() > 100 and (steps.reward > 0).sum() > 100
    env = Asterix(len(steps.action), version, ramping=ramping)
    minatar_oracle.assert_same_steps(env, steps, variant, canonical)


@pytest.mark.slow
def test_whole_episodes_are_those_of_minatar(monkeypatch: pytest.MonkeyPatch) -> None:
    env = Asterix(32, "v0")
    policy = minatar_oracle.at_random
    episodes = minatar_oracle.play_along(
        env, "asterix", 800, monkeypatch, policy, start=lambda *_: [], chance=chance
    )
    assert episodes > 200


def stay_alive(env: Asterix, steps: int) -> list[AsterixState]:
    """The states of a player whom nothing ends, from reset on."""
    game = env.initial(tf.zeros([0, env.spec.num_envs]))
    games, noop = [game], tf.zeros([env.spec.num_envs], tf.int32)
    noise = tf.fill([env.step_noise_size, env.spec.num_envs], 0.5)
    transition = tf.function(env.transition, autograph=False)
    for _ in range(steps):
        games.append(transition(games[-1], noop, noise)[0])
    return games


@pytest.mark.slow
def test_all_gets_faster_on_step_102_and_every_102_steps_until_the_end() -> None:
    games = stay_alive(Asterix(1), 1300)
    ramps = np.array([int(game.ramps[0]) for game in games])
    steps = np.flatnonzero(np.diff(ramps)) + 1
    assert steps.tolist() == list(range(102, 102 * 10, 102))
    assert int(games[-1].spawn_period[0]) == int(games[-1].move_period[0]) == 1


def test_nothing_gets_faster_without_ramping() -> None:
    game = stay_alive(Asterix(1, ramping=False), 300)[-1]
    assert int(game.spawn_period[0]) == 10 and int(game.move_period[0]) == 5
    assert int(game.ramps[0]) == 0


def test_a_free_row_is_taken_by_every_number_alike() -> None:
    numbers = np.arange(0.5, 60) / 60
    env = Asterix(len(numbers))
    before = env.initial(tf.zeros([0, len(numbers)]))
    taken = tf.constant(np.tile([[0, 1, 0, 0, 1, 0, 0, 0, 0, 0]], [len(numbers), 1]).T, tf.int32)
    before = before._replace(gold=taken, spawn_timer=tf.zeros_like(before.spawn_timer))
    noise = np.stack([np.full(60, 0.4), np.full(60, 0.9), numbers]).astype(np.float32)
    after, _, _ = env.transition(before, tf.zeros([len(numbers)], tf.int32), tf.constant(noise))
    assert after.enemies.numpy().sum(axis=1).tolist() == [0, 0, 10, 10, 0, 10, 10, 10, 10, 0]
