"""Small networks of every torso, what they see, and a number that each output has a part in."""

from __future__ import annotations

import gymnasium
import keras
import numpy as np
import tensorflow as tf

from a2c_tf import networks
from a2c_tf.config import NetworkConfig
from a2c_tf.types import EnvSpec

ROWS = 7
OBSERVATIONS = {
    "minatar": gymnasium.spaces.Box(0, 1, (10, 10, 4), np.bool_),
    "nature": gymnasium.spaces.Box(0, 255, (4, 44, 44), np.uint8),
    "impala": gymnasium.spaces.Box(0, 255, (12, 12, 3), np.uint8),
    "mlp": gymnasium.spaces.Box(-1, 1, (5,), np.float32),
}


def make(torso: str, **settings: object) -> tuple[keras.Model, tf.Tensor]:
    """A network and what it is to see."""
    space = OBSERVATIONS[torso]
    spec = EnvSpec("Seen-v0", "graph", ROWS, space, gymnasium.spaces.Discrete(3))
    settings = {"hidden": (16, 8), "normalize_observation": torso == "mlp", **settings}
    model = networks.make_actor_critic(spec, NetworkConfig(torso=torso, **settings), seed=0)
    space.seed(0)
    return model, tf.constant(np.stack([space.sample() for _ in range(ROWS)]))


def score(output: dict[str, tf.Tensor]) -> tf.Tensor:
    """A number that each output has a different part in."""
    return tf.reduce_sum(tf.square(output["policy"])) - 3 * tf.reduce_sum(tf.sin(output["value"]))
