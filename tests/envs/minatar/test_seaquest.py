"""Seaquest against the `minatar` package: steps from chosen states, and whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from minatar.environments import seaquest as oracle
from support import minatar_oracle
from support.contract import GraphEnvironmentContract
from support.minatar_oracle import Steps

from a2c_tf.envs.minatar.board import ACTIONS
from a2c_tf.envs.minatar.seaquest import Seaquest, SeaquestState
from a2c_tf.envs.minatar.seaquest_bullets import Bullets
from a2c_tf.envs.minatar.seaquest_divers import MOST, Divers
from a2c_tf.envs.minatar.seaquest_enemies import Enemies

SCALARS = {  # our fields in the oracle's names
    "sub_y": "sub_y",
    "sub_x": "sub_x",
    "sub_rightward": "sub_or",
    "surfaced": "surface",
    "oxygen": "oxygen",
    "carried": "diver_count",
    "shot_timer": "shot_timer",
    "spawn_timer": "e_spawn_timer",
    "diver_timer": "d_spawn_timer",
    "spawn_period": "e_spawn_speed",
    "move_period": "move_speed",
    "ramps": "ramp_index",
}


@pytest.mark.slow
class TestContract(GraphEnvironmentContract):
    limit = 1  # down and up again ends an episode
    starts_vary = False

    def make(self, num_envs: int, **settings: Any) -> Seaquest:
        return Seaquest(num_envs, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        expected = np.zeros([10, 10, 10], bool)
        expected[0, 5, 0] = expected[0, 6, 1] = expected[9, :, 7] = True
        return np.array_equal(observation, expected)


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_the_defaults_are_those_of_minatar(version: str) -> None:
    env = Seaquest(1, version)
    assert env.spec.action_meanings == ACTIONS
    assert env.sticky_action_probability == 0.1
    assert env.spec.max_episode_steps is None
    assert env.ramping


def encode_enemies(game: oracle.Env) -> Enemies:
    """Also holds that no two enemies of a row share direction, column and move timer."""
    fish, loading = np.zeros(10, np.int64), np.zeros([11, 10], np.int64)
    rightward, taken = np.zeros(10, bool), set()
    for x, y, goes_right, timer, *shot in game.e_fish + game.e_subs:
        assert (y, x, timer) not in taken
        assert not fish[y] | loading[:, y].any() or rightward[y] == goes_right
        taken.add((y, x, timer))
        rightward[y] = goes_right
        lanes = loading[shot[0]] if shot else fish
        lanes[y] |= 1 << (10 * timer + x)
    return Enemies(fish, loading.sum(axis=0), loading, rightward)


def encode_bullets(bullets: list) -> Bullets:
    boards = np.zeros([2, 10], np.int32)
    for x, y, goes_right in bullets:
        boards[int(goes_right), y] |= 1 << x
    return Bullets(*boards)


def encode_divers(game: oracle.Env) -> Divers:
    assert len(game.divers) <= MOST
    newest_first = [(y, x, right, timer) for x, y, right, timer in reversed(game.divers)]
    slots = newest_first + [(-1, 0, False, 0)] * (MOST - len(newest_first))
    y, x, rightward, timer = zip(*slots, strict=True)
    return Divers(np.int32(y), np.int32(x), np.bool_(rightward), np.int32(timer))


def encode(game: oracle.Env) -> SeaquestState:
    """Also holds that no two bullets of ours share a cell, and that none is in ours."""
    shots = [(x, y) for x, y, _ in game.f_bullets]
    assert len(set(shots)) == len(shots) <= 2
    assert (game.sub_x, game.sub_y) not in shots
    values = {ours: getattr(game, theirs) for ours, theirs in SCALARS.items()}
    scalars = {k: np.bool_(v) if isinstance(v, bool) else np.int32(v) for k, v in values.items()}
    return SeaquestState(
        bullets=encode_bullets(game.f_bullets),
        enemy_bullets=encode_bullets(game.e_bullets),
        enemies=encode_enemies(game),
        divers=encode_divers(game),
        **scalars,
    )


def canonical(game: SeaquestState) -> SeaquestState:
    """Says nothing: the direction of an empty lane, and which slot of a diver is free."""
    enemies, divers = game.enemies, game.divers
    rightward = enemies.rightward & ((enemies.fish | enemies.subs) != 0)
    gone = divers.y[:1] == -1
    divers = Divers(*(tf.where(gone, leaf[::-1], leaf) for leaf in divers))
    known = divers.y != -1
    divers = Divers(*(tf.where(known, leaf, tf.zeros_like(leaf)) for leaf in divers))
    return game._replace(
        enemies=enemies._replace(rightward=rightward),
        divers=divers._replace(y=tf.where(known, divers.y, -1)),
    )


def chance(game: oracle.Env, noise: np.ndarray) -> list:
    """Side, kind and row of an enemy, side and row of a diver, each where it is time."""
    enemy = list(noise[:3]) if game.e_spawn_timer == 0 else []
    return enemy + (list(noise[3:]) if game.d_spawn_timer == 0 else [])


def disturb(game: oracle.Env, rng: np.random.Generator) -> None:
    """Elsewhere with any load, mostly near enemies; now and then all anew, but more difficult.

    Bullets are dropped: only where the submarine cannot jump do no two of them share a cell.
    """
    game.f_bullets = []
    game.sub_or = bool(rng.integers(2))
    game.sub_x = int(rng.integers(9)) + game.sub_or
    game.sub_y = int(rng.choice([0, 1, *range(9)]))
    crowd = game.e_fish + game.e_subs + game.divers
    if crowd and rng.uniform() < 0.5:
        x, game.sub_y = crowd[rng.integers(len(crowd))][:2]
        away = 1 if x < 5 else -1
        game.sub_x, game.sub_or = x + away, away < 0
    game.oxygen, game.surface = int(rng.choice([0, 1, 2, rng.integers(201)])), bool(rng.integers(2))
    game.diver_count = int(rng.integers(-2, 7))
    if rng.uniform() < 0.05:
        game.e_fish, game.e_subs, game.e_bullets = [], [], []
        game.ramp_index = int(rng.integers(25)) if game.ramping else 0
        game.e_spawn_speed = max(1, 20 - game.ramp_index)
        game.move_speed = max(2, 5 - game.ramp_index // 2)
        game.e_spawn_timer = int(rng.integers(game.e_spawn_speed))


def oracle_steps(ramping: bool) -> Steps:
    games = [oracle.Env(ramping=ramping)]
    return minatar_oracle.record_steps(games, 12_000, 5, encode, chance, disturb)


@pytest.fixture(scope="module", params=[True, False], ids=["ramping", "level"])
def recorded(request: pytest.FixtureRequest) -> tuple[bool, Steps]:
    return request.param, oracle_steps(request.param)


@pytest.mark.slow
def test_a_step_is_that_of_minatar(recorded: tuple[bool, Steps], variant: Callable) -> None:
    ramping, steps = recorded
    before, after = steps.before, steps.after
    assert (after.ramps > before.ramps).any() == ramping
    assert (after.carried > before.carried).sum() > 50
    assert (before.carried == 6)[after.carried == -1].sum() > 5
    assert (before.carried == -1)[after.carried == -2].sum() > 5
    assert (steps.reward == 1).sum() > 50 and (steps.reward > 4).any()
    assert steps.terminated.sum() > 1000
    env = Seaquest(len(steps.action), ramping=ramping)
    minatar_oracle.assert_same_steps(env, steps, variant, canonical)


def surface(game: SeaquestState, rng: np.random.Generator, meanings: tuple[str, ...]) -> list[int]:
    """A policy that stays below without divers, goes up with some when it is time, or wanders."""
    actions = rng.integers(len(meanings), size=len(game.sub_y))
    up, fire = meanings.index("up"), meanings.index("fire")
    shallow = (game.sub_y <= 1) & (game.carried == 0)
    actions = np.where(shallow & (actions == up), fire, actions)
    rises = (game.carried != 0) & (game.oxygen < 150) & (game.sub_y > 0)
    return np.where(rises, up, actions).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("policy", [minatar_oracle.at_random, surface])
def test_whole_episodes_are_those_of_minatar(
    policy: minatar_oracle.Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = Seaquest(32)
    episodes = minatar_oracle.play_along(env, "seaquest", 500, monkeypatch, policy, chance=chance)
    assert episodes > 100


def test_enemies_and_divers_of_a_long_dive_fit_the_bits() -> None:
    """The oracle plays on at every difficulty; `encode` holds what the bits take for granted."""
    rng = np.random.default_rng(1)
    game, most = oracle.Env(), 0
    game.random = np.random.RandomState(1)
    for _ in range(60):
        game.sub_y, game.surface, game.diver_count = 0, False, 5  # surfaces in the next step
        for _ in range(40):
            game.terminal = False
            game.act(int(rng.choice([0, 1, 3, 4, 5])))
            encode(game)
            most = max(most, len(game.e_fish + game.e_subs))
    assert game.e_spawn_speed == 1 and game.move_speed == 2
    assert most > 20


def before_surfacing(carried: int, oxygen: int) -> tuple[Seaquest, SeaquestState, tf.Tensor]:
    """One row below the surface, and the action that goes up."""
    env = Seaquest(1)
    game = env.initial(tf.zeros([0, 1]))._replace(
        sub_y=tf.constant([1]),
        surfaced=tf.constant([False]),
        carried=tf.constant([carried]),
        oxygen=tf.constant([oxygen]),
    )
    return env, game, tf.constant([ACTIONS.index("up")])


@pytest.mark.parametrize(
    ("carried", "oxygen", "left", "expected"),
    [
        (6, 200, -1, 10),
        (6, 137, -1, 6),
        (6, 19, -1, 0),
        (5, 137, 4, 0),
        (1, 9, 0, 0),
        (-1, 9, -2, 0),
    ],
)
def test_surfacing_with_divers_refills_the_oxygen(
    carried: int, oxygen: int, left: int, expected: int
) -> None:
    env, game, up = before_surfacing(carried, oxygen)
    after, reward, terminated = env.transition(game, up, tf.fill([5, 1], 0.5))
    assert not terminated[0] and float(reward[0]) == expected
    assert int(after.carried[0]) == left and int(after.oxygen[0]) == 200
    assert int(after.ramps[0]) == 1 and int(after.spawn_period[0]) == 19
    gauge = env.observe(after).numpy()[0, 9, :, 8]
    assert np.flatnonzero(gauge).tolist() == list(range(9 - max(left, 0), 9))


@pytest.mark.parametrize(("carried", "oxygen"), [(0, 200), (6, 0), (0, 0)])
def test_surfacing_without_divers_or_too_late_ends_the_episode(carried: int, oxygen: int) -> None:
    env, game, up = before_surfacing(carried, oxygen)
    _, reward, terminated = env.transition(game, up, tf.fill([5, 1], 0.5))
    assert terminated[0] and float(reward[0]) == 0
