"""Networks: torsos, cores and heads as one Keras functional model, and how it is applied."""

from a2c_tf.networks.actor_critic import (
    has_convolutions,
    image_layers,
    make_actor_critic,
    normalizers,
    torso_layers,
)

__all__ = [
    "has_convolutions",
    "image_layers",
    "make_actor_critic",
    "normalizers",
    "torso_layers",
]
