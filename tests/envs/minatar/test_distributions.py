"""Returns and lengths of a random policy in every game, against those in the `minatar` package.

A random player dies long before the games get harder; whole episodes of the same random numbers,
ramps included, are compared in each game's own test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from support import record_oracle
from support.rollouts import seed_of

from a2c_tf import prng
from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.envs.minatar.asterix import Asterix
from a2c_tf.envs.minatar.breakout import Breakout
from a2c_tf.envs.minatar.freeway import Freeway
from a2c_tf.envs.minatar.seaquest import Seaquest
from a2c_tf.envs.minatar.space_invaders import SpaceInvaders

NUM_ENVS, QUOTA = 500, 4
GAMES: dict[str, Callable[..., GraphEnvironment]] = {
    "asterix": Asterix,
    "breakout": Breakout,
    "freeway": Freeway,
    "seaquest": Seaquest,
    "space_invaders": SpaceInvaders,
}


class Episodes(NamedTuple):
    """Each field `[N]`."""

    returns: np.ndarray
    lengths: np.ndarray


def recorded(game: str) -> Episodes:
    with np.load(record_oracle.RECORD) as record:
        return Episodes(*record[game].astype(int))


def played(env: GraphEnvironment, seed: int = 0) -> Episodes:
    """The first QUOTA episodes of each environment, which a random policy plays under XLA."""
    num_envs, actions = env.spec.num_envs, int(env.spec.action_space.n)

    def step(state: Any, fresh: tf.Tensor, action_seed: tf.Tensor, *tally: tf.Tensor) -> tuple:
        number = prng.uniform([num_envs], action_seed)
        state, time_step = env.step(state, tf.cast(number * actions, tf.int32))
        ended, returns, lengths = tally
        under_way = tf.one_hot(ended, QUOTA, axis=0)  # [QUOTA, B], 0 once the quota is full
        return (
            state,
            time_step.last,
            prng.next_seed(action_seed),
            ended + tf.cast(time_step.last, tf.int32),
            returns + under_way * time_step.reward,
            lengths + under_way * tf.where(fresh, 0.0, 1.0),
        )

    @tf.function(jit_compile=True, autograph=False)
    def play() -> list[tf.Tensor]:
        state, time_step = env.reset(seed_of(seed))
        nothing = tf.zeros([QUOTA, num_envs])
        tally = (tf.zeros([num_envs], tf.int32), nothing, nothing)
        start = (state, time_step.last, seed_of(~seed), *tally)
        unfinished = lambda *state: tf.reduce_any(state[3] < QUOTA)  # noqa: E731
        return tf.while_loop(unfinished, step, start)[-2:]

    return Episodes(*(leaf.numpy().ravel().astype(int) for leaf in play()))


def p_values(ours: Episodes, theirs: Episodes) -> list[float]:
    """That returns, and lengths, are of one distribution, by Kolmogorov and Smirnov."""
    assert [len(field) for field in (*ours, *theirs)] == [record_oracle.EPISODES] * 4
    return [stats.ks_2samp(a, b).pvalue for a, b in zip(ours, theirs, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("game", GAMES)
def test_random_play_has_the_returns_and_lengths_of_minatar(game: str) -> None:
    ours, theirs = played(GAMES[game](NUM_ENVS)), recorded(game)
    assert min(p_values(ours, theirs)) > 0.01
    if game == "freeway":
        assert set(ours.lengths) == set(theirs.lengths) == {2501}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("game", "probability"),
    # to a random player of Asterix it does not matter
    [("breakout", 0.5), ("freeway", 0.5), ("seaquest", 0.25), ("space_invaders", 0.5)],
)
def test_other_sticky_actions_would_be_noticed(game: str, probability: float) -> None:
    env = GAMES[game](NUM_ENVS, sticky_action_probability=probability)
    assert min(p_values(played(env), recorded(game))) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("game", "constant", "wrong"),
    [
        ("asterix", "SPAWN_PERIOD", 8),
        ("breakout", "START_ROW", 4),
        ("freeway", "COOLDOWN", 4),
        ("space_invaders", "ALIEN_COOLDOWN", 9),
    ],
)
def test_another_rule_would_be_noticed(
    game: str, constant: str, wrong: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"a2c_tf.envs.minatar.{game}.{constant}", wrong)
    assert min(p_values(played(GAMES[game](NUM_ENVS)), recorded(game))) < 1e-4


@pytest.mark.parametrize("game", GAMES)
def test_the_record_is_what_minatar_plays(game: str) -> None:
    first = record_oracle.play(game, chain=0, episodes=1 if game == "freeway" else 20)
    expected = np.stack(recorded(game))[:, : first.shape[1]]
    np.testing.assert_array_equal(first, expected, err_msg="record it anew: record_oracle.py")
