"""CartPole-v1 in the graph.

The pole on a cart of Barto, Sutton and Anderson (1983), with gymnasium's constants:
https://gymnasium.farama.org/environments/classic_control/cart_pole
"""

from __future__ import annotations

import math
from typing import NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import GraphEnvironment, GraphState, first
from a2c_tf.envs.rendering import classic_control

GRAVITY = 9.8  # m/s²
CART_MASS = 1.0  # kg
POLE_MASS = 0.1  # kg
TOTAL_MASS = CART_MASS + POLE_MASS
HALF_POLE_LENGTH = 0.5  # m
FORCE = 10.0  # N
TIME_STEP = 0.02  # s
POSITION_LIMIT = 2.4  # m
ANGLE_LIMIT = 12 * math.pi / 180  # rad
INITIAL_SPREAD = 0.05  # each coordinate starts uniformly within ± this
LIMITS = np.array([2 * POSITION_LIMIT, np.inf, 2 * ANGLE_LIMIT, np.inf], np.float32)


class CartPoleState(NamedTuple):
    """Holds where cart and pole are; each field is `[B]` float32."""

    position: tf.Tensor  # m
    velocity: tf.Tensor  # m/s
    angle: tf.Tensor  # rad from upright
    angular_velocity: tf.Tensor  # rad/s


class CartPole(GraphEnvironment[CartPoleState]):
    """Pays 1 a step until the pole falls or the cart leaves the track."""

    id = "CartPole-v1"
    observation_space = gymnasium.spaces.Box(-LIMITS, LIMITS, dtype=np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    action_meanings = ("left", "right")
    default_max_episode_steps = 500
    reset_noise_size = 4
    frames_per_second = round(1 / TIME_STEP)

    def initial(self, noise: tf.Tensor) -> CartPoleState:
        return CartPoleState(*tf.unstack((2 * noise - 1) * INITIAL_SPREAD))

    def transition(
        self, game: CartPoleState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[CartPoleState, tf.Tensor, tf.Tensor]:
        acceleration, angular_acceleration = _accelerations(game, action)
        # explicit Euler: positions move by the old velocities
        after = CartPoleState(
            position=game.position + TIME_STEP * game.velocity,
            velocity=game.velocity + TIME_STEP * acceleration,
            angle=game.angle + TIME_STEP * game.angular_velocity,
            angular_velocity=game.angular_velocity + TIME_STEP * angular_acceleration,
        )
        fallen = tf.abs(after.angle) > ANGLE_LIMIT
        return after, tf.ones_like(after.angle), fallen | (tf.abs(after.position) > POSITION_LIMIT)

    def observe(self, game: CartPoleState) -> tf.Tensor:
        return tf.stack(game, axis=-1)  # [B, 4]

    def draw(self, state: GraphState) -> np.ndarray:
        game = first(state.game)
        return classic_control.cart_pole(
            game.position, game.angle, POSITION_LIMIT, 2 * HALF_POLE_LENGTH
        )


def _accelerations(game: CartPoleState, action: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Solves the equations of motion without friction: m/s² of the cart, rad/s² of the pole."""
    sin, cos = tf.sin(game.angle), tf.cos(game.angle)
    force = tf.where(action == 1, FORCE, -FORCE)
    pole_moment = POLE_MASS * HALF_POLE_LENGTH
    push = (force + pole_moment * tf.square(game.angular_velocity) * sin) / TOTAL_MASS
    inertia = HALF_POLE_LENGTH * (4.0 / 3.0 - POLE_MASS * tf.square(cos) / TOTAL_MASS)
    angular_acceleration = (GRAVITY * sin - cos * push) / inertia
    return push - pole_moment * angular_acceleration * cos / TOTAL_MASS, angular_acceleration
