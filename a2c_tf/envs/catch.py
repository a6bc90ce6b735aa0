"""Catch in the graph, the game of bsuite (Osband et al., 2020, arXiv:1908.03568)."""

from __future__ import annotations

from typing import NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import GraphEnvironment, GraphState
from a2c_tf.envs.rendering import boards, palettes

ROWS, COLUMNS = 10, 5
START_PADDLE = COLUMNS // 2


class CatchState(NamedTuple):
    """Holds the places of ball and paddle; each field is `[B]` int32."""

    ball_y: tf.Tensor
    ball_x: tf.Tensor
    paddle: tf.Tensor  # its column in the lowest row


class Catch(GraphEnvironment[CatchState]):
    """Drops a ball a row a step: reward 1 where the paddle is under it, else -1; 9 steps."""

    id = "Catch-v0"
    observation_space = gymnasium.spaces.Box(0, 1, (ROWS, COLUMNS), dtype=np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    action_meanings = ("left", "noop", "right")
    reset_noise_size = 1
    frames_per_second = 5

    def initial(self, noise: tf.Tensor) -> CatchState:
        column = tf.cast(noise[0] * COLUMNS, tf.int32)
        return CatchState(tf.zeros_like(column), column, tf.fill(column.shape, START_PADDLE))

    def transition(
        self, game: CatchState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[CatchState, tf.Tensor, tf.Tensor]:
        paddle = tf.clip_by_value(game.paddle + action - 1, 0, COLUMNS - 1)
        after = CatchState(game.ball_y + 1, game.ball_x, paddle)
        landed = after.ball_y == ROWS - 1
        outcome = tf.where(after.ball_x == paddle, 1.0, -1.0)
        return after, tf.where(landed, outcome, 0.0), landed

    def observe(self, game: CatchState) -> tf.Tensor:
        ball, paddle = _planes(game)
        return tf.cast(ball | paddle, tf.float32)

    def draw(self, state: GraphState) -> np.ndarray:
        planes = tf.stack(_planes(state.game), axis=-1)  # [B, 10, 5, 2]
        return boards.draw(planes[0].numpy(), palettes.CATCH)


def _planes(game: CatchState) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the boards of ball and paddle, each `[B, 10, 5]` bool."""
    lowest = tf.fill(game.paddle.shape, ROWS - 1)
    return _cell(game.ball_y, game.ball_x), _cell(lowest, game.paddle)


def _cell(y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Returns a board that is True at (y, x) alone, `[B, 10, 5]` bool."""
    row = tf.range(ROWS)[tf.newaxis, :, tf.newaxis] == y[:, tf.newaxis, tf.newaxis]
    column = tf.range(COLUMNS)[tf.newaxis, tf.newaxis, :] == x[:, tf.newaxis, tf.newaxis]
    return row & column
