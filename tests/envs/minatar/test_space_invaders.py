"""Space Invaders against the `minatar` package: steps from chosen states, and whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from minatar.environments import space_invaders as oracle
from support import minatar_oracle
from support.contract import GraphEnvironmentContract
from support.minatar_oracle import Steps

from a2c_tf.envs.minatar.board import ACTIONS
from a2c_tf.envs.minatar.space_invaders import SpaceInvaders, SpaceInvadersState

BOARDS = {  # our fields in the oracle's names
    "aliens": "alien_map",
    "bullets": "f_bullet_map",
    "alien_bullets": "e_bullet_map",
}
SCALARS = {
    "cannon": "pos",
    "shot_timer": "shot_timer",
    "alien_shot_timer": "alien_shot_timer",
    "move_timer": "alien_move_timer",
    "move_period": "enemy_move_interval",
}


@pytest.mark.slow
class TestContract(GraphEnvironmentContract):
    steps = 80
    starts_vary = False

    def make(self, num_envs: int, **settings: Any) -> SpaceInvaders:
        return SpaceInvaders(num_envs, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        expected = np.zeros([10, 10, 6], bool)
        expected[9, 5, 0] = expected[:4, 2:8, 1] = expected[:4, 2:8, 2] = True
        return np.array_equal(observation, expected)


@pytest.mark.parametrize(
    ("version", "meanings"), [("v0", ACTIONS), ("v1", ("noop", "left", "right", "fire"))]
)
def test_the_defaults_are_those_of_minatar(version: str, meanings: tuple[str, ...]) -> None:
    env = SpaceInvaders(1, version)
    assert env.spec.action_meanings == meanings
    assert env.sticky_action_probability == 0.1
    assert env.spec.max_episode_steps is None
    assert env.ramping


def encode(game: oracle.Env) -> SpaceInvadersState:
    bits = 2 ** np.arange(10)
    boards = {
        ours: (bits @ (getattr(game, theirs) != 0)).astype(np.int32)
        for ours, theirs in BOARDS.items()
    }
    scalars = {ours: np.int32(getattr(game, theirs)) for ours, theirs in SCALARS.items()}
    return SpaceInvadersState(**boards, rightward=np.bool_(game.alien_dir > 0), **scalars)


def disturb(game: oracle.Env, rng: np.random.Generator) -> None:
    """Aliens from one to many, down to the ground, and bullets anywhere; timers about to go off."""
    density = rng.choice([0.0, 0.1, 0.4])
    game.alien_map = (rng.uniform(size=(10, 10)) < density).astype(float)
    game.alien_map[rng.integers(10), rng.integers(10)] = 1
    game.alien_map[rng.integers(1, 11) :] = 0
    if not game.alien_map.any():
        game.alien_map[0, rng.integers(10)] = 1
    for bullets in (game.f_bullet_map, game.e_bullet_map):
        bullets[:] = rng.uniform(size=(10, 10)) < rng.choice([0.05, 0.5])
    game.f_bullet_map[9] = 0
    game.pos, game.alien_dir = int(rng.integers(10)), int(rng.choice([-1, 1]))
    game.shot_timer = int(rng.integers(2))
    game.alien_shot_timer, game.alien_move_timer = (int(n) for n in rng.integers(3, size=2))
    game.enemy_move_interval = int(rng.integers(6, 13))


def oracle_steps(ramping: bool) -> Steps:
    games = [oracle.Env(ramping=ramping)]
    return minatar_oracle.record_steps(games, 8000, 0, encode, lambda *_: [], disturb)


@pytest.fixture(scope="module", params=[True, False], ids=["ramping", "level"])
def recorded(request: pytest.FixtureRequest) -> tuple[bool, Steps]:
    return request.param, oracle_steps(request.param)


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_a_step_is_that_of_minatar(
    recorded: tuple[bool, Steps], version: str, variant: Callable
) -> None:
    ramping, steps = recorded
    assert (steps.after.move_period < steps.before.move_period).any() == ramping
    assert (steps.after.rightward != steps.before.rightward).sum() > 100
    assert (steps.reward > 1).any() and steps.terminated.sum() > 100
    env = SpaceInvaders(len(steps.action), version, ramping=ramping)
    minatar_oracle.assert_same_steps(env, steps, variant)


def hunt(
    game: SpaceInvadersState, rng: np.random.Generator, meanings: tuple[str, ...]
) -> list[int]:
    """A policy that shoots whenever it can, and wanders else: it clears waves."""
    wander = np.array([meanings.index(name) for name in ("left", "right", "noop")])
    actions = np.where(
        game.shot_timer == 0, meanings.index("fire"), rng.choice(wander, size=len(game.cannon))
    )
    return actions.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("policy", [minatar_oracle.at_random, hunt])
def test_whole_episodes_are_those_of_minatar(
    policy: minatar_oracle.Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = SpaceInvaders(32, "v0")
    episodes = minatar_oracle.play_along(
        env, "space_invaders", 600, monkeypatch, policy, chance=lambda *_: []
    )
    assert episodes > 100


@pytest.mark.parametrize(
    ("period", "ramping", "expected"), [(12, True, 11), (7, True, 6), (6, True, 6), (12, False, 12)]
)
def test_the_next_wave_comes_where_the_last_alien_dies(
    period: int, ramping: bool, expected: int
) -> None:
    env = SpaceInvaders(1, ramping=ramping)
    first = env.initial(tf.zeros([0, 1]))
    alien = tf.constant([[0b100], *[[0]] * 9])
    before = first._replace(
        aliens=alien,
        bullets=tf.bitwise.left_shift(alien, 1),
        rightward=tf.constant([True]),
        move_timer=tf.constant([3]),
        move_period=tf.constant([period]),
    )
    after, reward, terminated = env.transition(before, tf.constant([0]), tf.zeros([0, 1]))
    assert float(reward[0]) == 1 and not terminated[0]
    np.testing.assert_array_equal(after.aliens, first.aliens)
    assert int(after.move_period[0]) == expected
    assert int(after.move_timer[0]) == 2 and bool(after.rightward[0])  # go on as they were
