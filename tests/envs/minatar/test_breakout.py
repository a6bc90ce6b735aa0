"""Breakout against the `minatar` package: steps from chosen states, and whole episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from minatar.environments import breakout as oracle
from support import minatar_oracle
from support.contract import GraphEnvironmentContract, assert_frequency
from support.rollouts import rollout

from a2c_tf.envs.minatar.board import ACTIONS
from a2c_tf.envs.minatar.breakout import Breakout, BreakoutState

VERSIONS = ["v0", "v1"]
SCALARS = {  # our fields in the oracle's names
    "ball_y": "ball_y",
    "ball_x": "ball_x",
    "direction": "ball_dir",
    "paddle": "pos",
    "striking": "strike",
    "trail_y": "last_y",
    "trail_x": "last_x",
}


@pytest.mark.slow
class TestVersion0Contract(GraphEnvironmentContract):
    version = "v0"

    def make(self, num_envs: int, **settings: Any) -> Breakout:
        return Breakout(num_envs, self.version, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        expected = np.zeros([10, 10, 4], bool)
        expected[9, 4, 0] = expected[1:4, :, 3] = True
        column = 0 if observation[3, 0, 1] else 9
        expected[3, column, 1] = expected[3, column, 2] = True
        return np.array_equal(observation, expected)


class TestVersion1Contract(TestVersion0Contract):
    version = "v1"


@pytest.mark.parametrize(
    ("version", "meanings"), [("v0", ACTIONS), ("v1", ("noop", "left", "right"))]
)
def test_the_defaults_are_those_of_minatar(version: str, meanings: tuple[str, ...]) -> None:
    env = Breakout(1, version)
    assert env.spec.action_meanings == meanings
    assert env.sticky_action_probability == 0.1
    assert env.spec.max_episode_steps is None


def every_state() -> BreakoutState:
    """All balls, directions, paddles and strikes, each with no, some and all bricks; as numpy."""
    rng = np.random.default_rng(0)
    ranges = [range(9), range(10), range(4), range(10), (False, True), range(3)]
    grid = np.meshgrid(*ranges, indexing="ij")
    ball_y, ball_x, direction, paddle, striking, wall = (axis.ravel() for axis in grid)
    density = np.choose(wall, [np.zeros(wall.size), rng.uniform(size=wall.size), 1.0])
    return BreakoutState(
        ball_y=ball_y.astype(np.int32),
        ball_x=ball_x.astype(np.int32),
        direction=direction.astype(np.int32),
        paddle=paddle.astype(np.int32),
        bricks=to_bits(rng.uniform(size=(wall.size, 3, 10)) < density[:, None, None]),
        striking=striking,
        trail_y=rng.integers(9, size=wall.size, dtype=np.int32),
        trail_x=rng.integers(10, size=wall.size, dtype=np.int32),
    )


def to_bits(bricks: np.ndarray) -> np.ndarray:
    """Rows 1 to 3 `[N, 3, 10]` bool as boards of bits `[10, N]`."""
    rows = bricks.astype(np.int32) @ (1 << np.arange(10, dtype=np.int32))
    return np.pad(rows, [(0, 0), (1, 6)]).T


def transplant(game: BreakoutState, i: int, env: oracle.Env) -> None:
    for ours, theirs in SCALARS.items():
        setattr(env, theirs, getattr(game, ours)[i].item())
    env.brick_map = (game.bricks[:, i, np.newaxis] >> np.arange(10) & 1).astype(float)
    env.terminal = False


def oracle_steps(
    games: BreakoutState, action: int
) -> tuple[BreakoutState, np.ndarray, np.ndarray, np.ndarray]:
    """The states after one of MinAtar's six actions, rewards, terminals and observations."""
    env, rows, outcomes = oracle.Env(), [], []
    for i in range(len(games.ball_y)):
        transplant(games, i, env)
        outcomes.append((*env.act(action), env.state()))
        fields = {ours: getattr(env, theirs) for ours, theirs in SCALARS.items()}
        bricks = to_bits(env.brick_map[np.newaxis, 1:4] > 0)[:, 0]
        rows.append(BreakoutState(bricks=bricks, **fields))
    after = BreakoutState(*(np.stack(field, axis=-1) for field in zip(*rows, strict=True)))
    return after, *(np.array(leaf) for leaf in zip(*outcomes, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "action"), [(v, a) for v in VERSIONS for a in Breakout(1, v).spec.action_meanings]
)
def test_a_step_is_that_of_minatar_from_every_state(version: str, action: str) -> None:
    games = every_state()
    expected, rewards, terminals, observations = oracle_steps(games, ACTIONS.index(action))
    refilled = (expected.bricks & ~games.bricks).any(axis=0)
    assert refilled[terminals].any() and refilled[~terminals].any()
    assert (rewards > 0).any()

    env = Breakout(len(games.ball_y), version)
    actions = tf.fill([len(games.ball_y)], env.spec.action_meanings.index(action))
    before = BreakoutState(*map(tf.constant, games))
    after, reward, terminated = env.transition(before, actions, tf.zeros([0, len(actions)]))
    for name, field, value in zip(after._fields, after, expected, strict=True):
        np.testing.assert_array_equal(field, value, err_msg=name)
    np.testing.assert_array_equal(reward, rewards)
    np.testing.assert_array_equal(terminated, terminals)
    np.testing.assert_array_equal(env.observe(after), observations)


def follow_ball(game: BreakoutState, rng: np.random.Generator, meanings: tuple[str, ...]) -> list:
    """Indices `[B]` of actions that mostly keep the paddle under the ball: long episodes."""
    side = np.sign(game.ball_x.numpy() - game.paddle.numpy())
    names = np.array(["left", "noop", "right"])[side + 1]
    stray = rng.uniform(size=side.shape) < 0.2
    names = np.where(stray, rng.choice(meanings, side.shape), names)
    return [meanings.index(name) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_whole_episodes_are_those_of_minatar(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = Breakout(8, version)
    no_chance = lambda *_: []  # noqa: E731
    minatar_oracle.play_along(env, "breakout", 400, monkeypatch, follow_ball, chance=no_chance)


def test_the_ball_starts_on_either_side_alike() -> None:
    env = Breakout(1000, max_episode_steps=1)
    stream = rollout(env, np.zeros([2, 1000], np.int32))
    for t in (0, 2):  # after reset and after autoreset
        assert_frequency(stream.observation[t, :, 3, 0, 1], 0.5)
