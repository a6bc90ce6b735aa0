"""MinAtar Asterix in the graph.

Enemies and gold cross the board, at most one of them in a row; an episode ends when the player
meets an enemy, and all gets faster with time. https://github.com/kenjyoung/MinAtar
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.minatar.bitboard import at, bit, materialized, meet, shift
from a2c_tf.envs.minatar.board import ACTIONS, SIZE, RampingGame, chosen
from a2c_tf.envs.minatar.planes import rows_to_planes
from a2c_tf.envs.rendering import palettes

FIRST_ROW, LAST_ROW = 1, 8
START_ROW = START_COLUMN = 5
SPAWN_PERIOD = 10  # steps, at first
MOVE_PERIOD = 5
RAMP_PERIOD = 100


class AsterixState(NamedTuple):
    """Holds the whole game; a field is `[B]` unless it says otherwise, boards are bits."""

    player_y: tf.Tensor  # int32
    player_x: tf.Tensor  # int32
    enemies: tf.Tensor  # [10, B] int32
    gold: tf.Tensor  # [10, B] int32
    rightward: tf.Tensor  # [10, B] bool, which way each row's entity goes
    spawn_timer: tf.Tensor  # int32, as all below
    move_timer: tf.Tensor
    spawn_period: tf.Tensor
    move_period: tf.Tensor
    ramp_timer: tf.Tensor
    ramps: tf.Tensor  # how often all got faster


class Asterix(RampingGame[AsterixState]):
    """Pays 1 for each gold; `v0` has MinAtar's six actions, `v1` all but fire."""

    channels = 4
    minimal_actions = ACTIONS[:5]
    layers = palettes.ASTERIX
    step_noise_size = 3

    def initial(self, noise: tf.Tensor) -> AsterixState:
        empty = tf.zeros([SIZE, self.spec.num_envs], tf.int32)
        return AsterixState(
            player_y=self._fill(START_ROW),
            player_x=self._fill(START_COLUMN),
            enemies=empty,
            gold=empty,
            rightward=tf.zeros_like(empty, tf.bool),
            spawn_timer=self._fill(SPAWN_PERIOD),
            move_timer=self._fill(MOVE_PERIOD),
            spawn_period=self._fill(SPAWN_PERIOD),
            move_period=self._fill(MOVE_PERIOD),
            ramp_timer=self._fill(RAMP_PERIOD),
            ramps=self._fill(0),
        )

    def transition(
        self, game: AsterixState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[AsterixState, tf.Tensor, tf.Tensor]:
        game = _spawn(self._move_player(game, action), noise)
        game, caught, found = _meet_player(game)
        game, caught_later, found_later = _meet_player(_move_entities(game))
        after = _ramp(game) if self.ramping else game
        # a row has one entity, so that none is found twice
        return after, tf.cast(found | found_later, tf.float32), caught | caught_later

    def observe(self, game: AsterixState) -> tf.Tensor:
        game = materialized(game)
        trails = shift(game.enemies | game.gold, ~game.rightward)
        return rows_to_planes([at(game.player_y, game.player_x), game.enemies, trails, game.gold])

    def _move_player(self, game: AsterixState, action: tf.Tensor) -> AsterixState:
        left, up, right, down = (
            tf.cast(chosen(action, meaning, self.spec), tf.int32) for meaning in ACTIONS[1:5]
        )
        return game._replace(
            player_y=tf.clip_by_value(game.player_y + down - up, FIRST_ROW, LAST_ROW),
            player_x=tf.clip_by_value(game.player_x + right - left, 0, SIZE - 1),
        )


def _spawn(game: AsterixState, noise: tf.Tensor) -> AsterixState:
    """Adds an entity in a free row where it is time; `noise` is `[3, B]`."""
    from_left, is_gold = noise[0] < 1 / 2, noise[1] < 1 / 3
    row = _random_free_row((game.enemies | game.gold) == 0, noise[2])
    row &= game.spawn_timer == 0
    edge = bit(tf.where(from_left, 0, SIZE - 1))
    entity = tf.where(row, edge, 0)  # [10, B]
    return game._replace(
        enemies=game.enemies | tf.where(is_gold, 0, entity),
        gold=game.gold | tf.where(is_gold, entity, 0),
        rightward=tf.where(row, from_left, game.rightward),
        spawn_timer=_tick(game.spawn_timer, game.spawn_period),
    )


def _random_free_row(free: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Chooses one of the rows `free` `[10, B]` that entities cross, if any; `[10, B]` bool."""
    rows = tf.range(SIZE)[:, tf.newaxis]
    free &= (rows >= FIRST_ROW) & (rows <= LAST_ROW)
    rank = tf.cumsum(tf.cast(free, tf.int32), axis=0, exclusive=True)
    number = tf.reduce_sum(tf.cast(free, tf.float32), axis=0)
    return free & (rank == tf.cast(noise * number, tf.int32))


def _move_entities(game: AsterixState) -> AsterixState:
    """Moves enemies and gold by a column where it is time."""
    moves = game.move_timer == 0
    return game._replace(
        enemies=tf.where(moves, shift(game.enemies, game.rightward), game.enemies),
        gold=tf.where(moves, shift(game.gold, game.rightward), game.gold),
        move_timer=_tick(game.move_timer, game.move_period),
    )


def _meet_player(game: AsterixState) -> tuple[AsterixState, tf.Tensor, tf.Tensor]:
    """Takes gold under the player; returns whether an enemy, and whether gold was there, `[B]`."""
    player = at(game.player_y, game.player_x)
    caught, found = meet(game.enemies, player), meet(game.gold, player)
    return game._replace(gold=game.gold & ~player), caught, found


def _tick(timer: tf.Tensor, period: tf.Tensor) -> tf.Tensor:
    """Counts a timer down, which starts again after 0 and counts in the same step."""
    return tf.where(timer == 0, period, timer) - 1


def _ramp(game: AsterixState) -> AsterixState:
    """Shortens the period of spawning, and every second time that of moving, until both are 1."""
    goes_on = (game.spawn_period > 1) | (game.move_period > 1)
    due = goes_on & (game.ramp_timer < 0)
    odd = game.ramps % 2 == 1
    timer = tf.where(due, RAMP_PERIOD, game.ramp_timer - 1)
    return game._replace(
        spawn_period=_shorten(game.spawn_period, due),
        move_period=_shorten(game.move_period, due & odd),
        ramp_timer=tf.where(goes_on, timer, game.ramp_timer),
        ramps=game.ramps + tf.cast(due, tf.int32),
    )


def _shorten(period: tf.Tensor, condition: tf.Tensor) -> tf.Tensor:
    return tf.where(condition, tf.maximum(period - 1, 1), period)
