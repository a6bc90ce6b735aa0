"""Pendulum-v1 in the graph.

The swing-up of a pendulum by a motor too weak to lift it, with gymnasium's constants:
https://gymnasium.farama.org/environments/classic_control/pendulum
"""

from __future__ import annotations

import math
from typing import NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import GraphEnvironment, GraphState, first
from a2c_tf.envs.rendering import classic_control

GRAVITY = 10.0  # m/s²
MASS = 1.0  # kg
LENGTH = 1.0  # m
MAX_TORQUE = 2.0  # N m
MAX_SPEED = 8.0  # rad/s
TIME_STEP = 0.05  # s
SPEED_COST = 0.1  # of the angular velocity squared, beside the angle squared
TORQUE_COST = 0.001  # of the torque squared
INITIAL_ANGLE = math.pi  # each coordinate starts uniformly within ± these
INITIAL_SPEED = 1.0
LIMITS = np.array([1.0, 1.0, MAX_SPEED], np.float32)  # of an observation


class PendulumState(NamedTuple):
    """Holds where the rod is; each field is `[B]` float32."""

    angle: tf.Tensor  # rad from upright
    angular_velocity: tf.Tensor  # rad/s


class Pendulum(GraphEnvironment[PendulumState]):
    """Charges each step by the angle, speed and torque it starts with; no state is terminal."""

    id = "Pendulum-v1"
    observation_space = gymnasium.spaces.Box(-LIMITS, LIMITS, dtype=np.float32)
    action_space = gymnasium.spaces.Box(-MAX_TORQUE, MAX_TORQUE, (1,), dtype=np.float32)
    default_max_episode_steps = 200
    reset_noise_size = 2

    def initial(self, noise: tf.Tensor) -> PendulumState:
        angle, angular_velocity = tf.unstack(2 * noise - 1)
        return PendulumState(INITIAL_ANGLE * angle, INITIAL_SPEED * angular_velocity)

    def transition(
        self, game: PendulumState, action: tf.Tensor, noise: tf.Tensor
    ) -> tuple[PendulumState, tf.Tensor, tf.Tensor]:
        torque = tf.clip_by_value(action[:, 0], -MAX_TORQUE, MAX_TORQUE)
        # wrapped here, so that float32 holds the angle as well after many turns
        angle = game.angle - 2 * math.pi * tf.round(game.angle / (2 * math.pi))
        squares = tf.square(angle), tf.square(game.angular_velocity), tf.square(torque)
        cost = squares[0] + SPEED_COST * squares[1] + TORQUE_COST * squares[2]

        acceleration = 1.5 * GRAVITY / LENGTH * tf.sin(angle) + 3 / (MASS * LENGTH**2) * torque
        speed = game.angular_velocity + TIME_STEP * acceleration
        speed = tf.clip_by_value(speed, -MAX_SPEED, MAX_SPEED)
        # semi-implicit Euler: the angle moves by the new velocity
        after = PendulumState(angle + TIME_STEP * speed, speed)
        return after, -cost, tf.zeros_like(cost, tf.bool)

    def observe(self, game: PendulumState) -> tf.Tensor:
        angle = game.angle
        return tf.stack([tf.cos(angle), tf.sin(angle), game.angular_velocity], axis=-1)  # [B, 3]

    def draw(self, state: GraphState) -> np.ndarray:
        torque = state.last_action[0, 0].numpy().clip(-MAX_TORQUE, MAX_TORQUE)
        return classic_control.pendulum(first(state.game).angle, torque, MAX_TORQUE)
