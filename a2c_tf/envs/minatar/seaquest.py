"""MinAtar Seaquest in the graph.

A submarine picks up divers and brings them to the surface before its oxygen ends, among fish and
enemy submarines; all gets faster each time it surfaces. https://github.com/kenjyoung/MinAtar
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from a2c_tf.envs.drawing import palettes
from a2c_tf.envs.minatar import seaquest_divers, seaquest_enemies
from a2c_tf.envs.minatar.bitboard import (
    FULL_ROW,
    at,
    bit,
    count,
    is_row,
    meet,
    once,
    shift,
    to_planes,
)
from a2c_tf.envs.minatar.board import ACTIONS, SIZE, MinAtarGame, chosen, make_spec
from a2c_tf.envs.minatar.seaquest_divers import ON_BOARD, Divers
from a2c_tf.envs.minatar.seaquest_enemies import Enemies, cells, with_timer

START_COLUMN = 5
LOWEST_ROW = 8
MOST_OXYGEN = 200
GAUGE = 10  # cells of all oxygen, and the reward of a rescue with all of it
COOLDOWN = 5
SPAWN_PERIOD = 20  # steps, at first
MOVE_PERIOD = 5
SHORTEST_MOVE_PERIOD = 2
DIVER_PERIOD = 30


class Bullets(NamedTuple):
    """Boards of bits `[B, 10]` int32; two in one cell that fly one way could not be told apart."""

    leftward: tf.Tensor
    rightward: tf.Tensor


class SeaquestState(NamedTuple):
    """The whole game; each field leads with `[B]`."""

    sub_y: tf.Tensor  # int32
    sub_x: tf.Tensor  # int32
    sub_rightward: tf.Tensor  # bool, which way it looks
    surfaced: tf.Tensor  # bool, and not dived since
    oxygen: tf.Tensor  # int32
    carried: tf.Tensor  # int32, divers; below 0 after a rescue
    bullets: Bullets
    enemy_bullets: Bullets
    enemies: Enemies
    divers: Divers
    shot_timer: tf.Tensor  # int32, as all below
    spawn_timer: tf.Tensor
    diver_timer: tf.Tensor
    spawn_period: tf.Tensor
    move_period: tf.Tensor
    ramps: tf.Tensor  # how often all got faster


class Seaquest(MinAtarGame[SeaquestState]):
    """Reward 1 for each enemy, and up to 10 for six divers; both versions have all six actions."""

    layers = palettes.SEAQUEST
    step_noise_size = 5

    def __init__(
        self,
        num_envs: int,
        version: str = "v1",
        max_episode_steps: int | None = None,
        sticky_action_probability: float = 0.1,
        ramping: bool = True,
    ) -> None:
        self.spec = make_spec(f"Seaquest-{version}", 10, ACTIONS, num_envs, max_episode_steps)
        self.sticky_action_probability = sticky_action_probability
        self.ramping = ramping

    def initial(self, noise: tf.Tensor) -> SeaquestState:
        num_envs = self.spec.num_envs

        def fill(value: int | bool) -> tf.Tensor:
            return tf.fill([num_envs], value)

        empty = tf.zeros([num_envs, SIZE], tf.int32)
        return SeaquestState(
            sub_y=fill(0),
            sub_x=fill(START_COLUMN),
            sub_rightward=fill(False),
            surfaced=fill(True),
            oxygen=fill(MOST_OXYGEN),
            carried=fill(0),
            bullets=Bullets(empty, empty),
            enemy_bullets=Bullets(empty, empty),
            enemies=seaquest_enemies.none(num_envs),
            divers=seaquest_divers.none(num_envs),
            shot_timer=fill(0),
            spawn_timer=fill(SPAWN_PERIOD),
            diver_timer=fill(DIVER_PERIOD),
            spawn_period=fill(SPAWN_PERIOD),
            move_period=fill(MOVE_PERIOD),
            ramps=fill(0),
        )

    def transition(
        self, game: SeaquestState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[SeaquestState, tf.Tensor, tf.Tensor]:
        game = self._act(_spawn(game, noise), action)
        flying = _fly(game.bullets)
        game = _shoot_down(game._replace(bullets=flying))
        divers, carried = seaquest_divers.advance(game.divers, game.sub_y, game.sub_x, game.carried)
        game = game._replace(divers=divers, carried=carried)
        game, rammed = _move_subs(game)
        game, hit = _move_enemy_bullets(game)
        game, bitten = _move_fish(game)
        shot = count(_board(flying)) - count(_board(game.bullets))  # a bullet for each enemy
        game, bonus, drowned = self._breathe(_tick(game))
        return game, tf.cast(shot + bonus, tf.float32), rammed | hit | bitten | drowned

    def observe(self, game: SeaquestState) -> tf.Tensor:
        sub = at(game.sub_y, game.sub_x)
        fish, subs = cells(game.enemies.fish), cells(game.enemies.subs)
        divers, diver_trails = seaquest_divers.boards(game.divers)
        trails = shift(fish | subs, ~game.enemies.rightward) | diver_trails
        gauge = tf.maximum(game.oxygen, 0) * GAUGE // MOST_OXYGEN
        carried = bit(tf.maximum(game.carried, 0)) - 1  # so many bits
        carried = tf.bitwise.left_shift(carried, SIZE - 1 - tf.maximum(game.carried, 0))
        planes = [
            sub,
            shift(sub, ~game.sub_rightward[:, tf.newaxis]),
            _board(game.bullets),
            trails,
            _board(game.enemy_bullets),
            fish,
            subs,
            tf.where(is_row(SIZE - 1), (bit(gauge) - 1)[:, tf.newaxis], 0),
            tf.where(is_row(SIZE - 1), carried[:, tf.newaxis], 0),
            divers,
        ]
        return to_planes(planes)

    def _act(self, game: SeaquestState, action: tf.Tensor) -> SeaquestState:
        """Fires, or moves and turns."""
        left, up, right, down, fire = (
            chosen(action, meaning, self.spec) for meaning in ACTIONS[1:]
        )
        fire &= game.shot_timer == 0
        bullet = tf.where(fire[:, tf.newaxis], at(game.sub_y, game.sub_x), 0)
        y = game.sub_y + tf.cast(down, tf.int32) - tf.cast(up, tf.int32)
        x = game.sub_x + tf.cast(right, tf.int32) - tf.cast(left, tf.int32)
        return game._replace(
            sub_y=tf.clip_by_value(y, 0, LOWEST_ROW),
            sub_x=tf.clip_by_value(x, 0, SIZE - 1),
            sub_rightward=(game.sub_rightward | right) & ~left,
            bullets=_fire(game.bullets, bullet, game.sub_rightward[:, tf.newaxis]),
            shot_timer=tf.where(fire, COOLDOWN, game.shot_timer),
        )

    def _breathe(self, game: SeaquestState) -> tuple[SeaquestState, tf.Tensor, tf.Tensor]:
        """Oxygen used up below the surface, and what happens there; reward and end `[B]`."""
        diving = game.sub_y > 0
        arrives = ~diving & ~game.surfaced
        surfaces = arrives & (game.carried != 0)
        rescue = surfaces & (game.carried == ON_BOARD)
        bonus = tf.where(rescue, game.oxygen * GAUGE // MOST_OXYGEN, 0)
        drowned = (game.oxygen <= 0) | (arrives & ~surfaces)
        # six divers leave, and yet one more: MinAtar counts -1 then
        left = tf.where(rescue, 0, game.carried) - 1
        oxygen = game.oxygen - tf.cast(diving, tf.int32)
        after = game._replace(
            oxygen=tf.where(surfaces, MOST_OXYGEN, oxygen),
            carried=tf.where(surfaces, left, game.carried),
            surfaced=~diving & (game.surfaced | surfaces),
        )
        return _ramp(after, surfaces) if self.ramping else after, bonus, drowned


def _spawn(game: SeaquestState, noise: tf.Tensor) -> SeaquestState:
    """An enemy and a diver where it is time; `noise` is `[5, B]`."""
    enemy, diver = game.spawn_timer == 0, game.diver_timer == 0
    row = seaquest_enemies.random_row(noise[4])
    enemies = seaquest_enemies.load(game.enemies)
    return game._replace(
        enemies=seaquest_enemies.spawn(enemies, enemy, game.move_period, noise[:3]),
        divers=seaquest_divers.spawn(game.divers, diver, row, noise[3] < 1 / 2),
        spawn_timer=tf.where(enemy, game.spawn_period, game.spawn_timer),
        diver_timer=tf.where(diver, DIVER_PERIOD, game.diver_timer),
    )


def _shoot_down(game: SeaquestState) -> SeaquestState:
    """A bullet takes the first fish of its cell, or where there is none the first submarine."""
    fish, bullets = game.enemies.fish, game.bullets
    struck = seaquest_enemies.first_in(fish, _board(bullets))
    left = _without(bullets, cells(struck))
    struck |= seaquest_enemies.first_in(game.enemies.subs, _board(left))
    struck = once(struck)
    return game._replace(
        enemies=seaquest_enemies.remove(game.enemies, struck),
        bullets=_without(bullets, cells(struck)),
    )


def _move_subs(game: SeaquestState) -> tuple[SeaquestState, tf.Tensor]:
    """Enemy submarines move, run into bullets and shoot; and whether one met ours, `[B]`."""
    here, enemies = at(game.sub_y, game.sub_x), game.enemies
    subs, entered = seaquest_enemies.advance(enemies.subs, enemies.rightward, game.move_period)
    loading, _ = seaquest_enemies.advance(
        enemies.loading, enemies.rightward[:, tf.newaxis], game.move_period[:, tf.newaxis]
    )
    fired = cells(loading[:, -1])  # by those that are struck now, too
    struck = once(entered & _board(game.bullets))
    gone = with_timer(struck, game.move_period)
    enemies = enemies._replace(subs=subs & ~gone, loading=loading & ~gone[:, tf.newaxis])
    after = game._replace(
        enemies=enemies,
        bullets=_without(game.bullets, struck),
        enemy_bullets=_fire(game.enemy_bullets, fired, enemies.rightward),
    )
    return after, meet(cells(game.enemies.subs) | entered, here)


def _move_enemy_bullets(game: SeaquestState) -> tuple[SeaquestState, tf.Tensor]:
    here, bullets = at(game.sub_y, game.sub_x), _fly(game.enemy_bullets)
    hit = meet(_board(game.enemy_bullets) | _board(bullets), here)
    return game._replace(enemy_bullets=bullets), hit


def _move_fish(game: SeaquestState) -> tuple[SeaquestState, tf.Tensor]:
    """Fish move and run into bullets; and whether one met the submarine, `[B]`."""
    here, enemies = at(game.sub_y, game.sub_x), game.enemies
    fish, entered = seaquest_enemies.advance(enemies.fish, enemies.rightward, game.move_period)
    struck = entered & _board(game.bullets)
    fish &= ~with_timer(struck, game.move_period)
    after = game._replace(
        enemies=enemies._replace(fish=fish), bullets=_without(game.bullets, struck)
    )
    return after, meet(cells(enemies.fish) | entered, here)


def _tick(game: SeaquestState) -> SeaquestState:
    return game._replace(
        spawn_timer=tf.maximum(game.spawn_timer - 1, 0),
        diver_timer=tf.maximum(game.diver_timer - 1, 0),
        shot_timer=tf.maximum(game.shot_timer - 1, 0),
    )


def _ramp(game: SeaquestState, surfaces: tf.Tensor) -> SeaquestState:
    """Shorter periods for spawning, and every second time for moving, down to 1 and 2."""
    can = (game.spawn_period > 1) | (game.move_period > SHORTEST_MOVE_PERIOD)
    due = surfaces & can
    shorter = game.move_period - game.ramps % 2
    return game._replace(
        spawn_period=tf.where(due, tf.maximum(game.spawn_period - 1, 1), game.spawn_period),
        move_period=tf.where(due, tf.maximum(shorter, SHORTEST_MOVE_PERIOD), game.move_period),
        ramps=game.ramps + tf.cast(due, tf.int32),
    )


def _board(bullets: Bullets) -> tf.Tensor:
    return bullets.leftward | bullets.rightward


def _fly(bullets: Bullets) -> Bullets:
    """All one column on; those at the edge are gone."""
    left = tf.bitwise.right_shift(bullets.leftward, 1)
    return Bullets(left, tf.bitwise.left_shift(bullets.rightward, 1) & FULL_ROW)


def _fire(bullets: Bullets, cells: tf.Tensor, rightward: tf.Tensor) -> Bullets:
    """One more in each of the cells `[B, 10]`."""
    return Bullets(
        bullets.leftward | tf.where(rightward, 0, cells),
        bullets.rightward | tf.where(rightward, cells, 0),
    )


def _without(bullets: Bullets, cells: tf.Tensor) -> Bullets:
    return Bullets(bullets.leftward & ~cells, bullets.rightward & ~cells)
