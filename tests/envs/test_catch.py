"""Catch against all of its games, played by ten lines of numpy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from support.contract import GraphEnvironmentContract
from support.rollouts import rollout, seed_of

from a2c_tf.envs.catch import COLUMNS, ROWS, START_PADDLE, Catch

GAME_LENGTH = 9  # rows that the ball falls


class TestContract(GraphEnvironmentContract):
    def make(self, num_envs: int, **settings: Any) -> Catch:
        return Catch(num_envs, **settings)

    def is_first(self, observation: np.ndarray) -> bool:
        return observation[0].sum() == 1 and observation[ROWS - 1, START_PADDLE] == 1


def play(column: int, actions: tuple[int, ...]) -> tuple[np.ndarray, float]:
    """The boards `[10, 10, 5]` of a game and the reward of its last step."""
    boards, paddle = np.zeros((GAME_LENGTH + 1, 10, 5), np.float32), 2
    boards[0, 0, column] = boards[0, 9, paddle] = 1
    for row, action in enumerate(actions, start=1):
        paddle = min(max(paddle + (-1, 0, 1)[action], 0), 4)
        boards[row, row, column] = boards[row, 9, paddle] = 1
    return boards, 1.0 if paddle == column else -1.0


@pytest.mark.parametrize("column", range(COLUMNS))
def test_every_game_from(column: int) -> None:
    actions = np.array(list(itertools.product(range(3), repeat=GAME_LENGTH)))  # [3^9, 9]
    env = Catch(len(actions))
    state, _ = env.reset(seed_of(0))
    state = state._replace(game=state.game._replace(ball_x=tf.fill([len(actions)], column)))
    games = [play(column, tuple(game)) for game in actions]
    step = tf.function(env.step)
    for t in range(1, GAME_LENGTH + 1):
        state, time_step = step(state, tf.constant(actions[:, t - 1]))
        np.testing.assert_array_equal(time_step.observation, [boards[t] for boards, _ in games])
        ended = t == GAME_LENGTH
        np.testing.assert_array_equal(time_step.reward, [ended * reward for _, reward in games])
        assert np.all(time_step.last == ended)
        assert np.all(time_step.discount == (not ended))


def test_the_ball_starts_in_every_column_alike() -> None:
    stream = rollout(Catch(1000), np.ones([GAME_LENGTH + 1, 1000], np.int32))
    for t in (0, GAME_LENGTH + 1):  # after reset and after autoreset
        counts = stream.observation[t, :, 0].sum(axis=0)
        assert counts.sum() == 1000
        assert stats.chisquare(counts).pvalue > 0.01
