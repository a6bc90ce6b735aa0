"""The acting pass of the network, saved and used again for the gradient in place of a second one.

Exact for A2C, which updates once an unroll under the weights that acted: the outputs of dense
layers and convolutions are saved while acting, and the learner's forward pass takes them from
there. For networks for which `fast_forward.is_possible`.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from a2c_tf.acceleration.fast_forward import replace_products, with_known_output
from a2c_tf.networks import forward
from a2c_tf.networks.forward import TrajectoryOutput, flatten_time, split_time
from a2c_tf.types import CoreState, StepOutput, Trajectory


class ReusedLayer(keras.layers.Layer):
    """A layer whose output is given beside its input; it shares the layer's weights."""

    def __init__(self, layer: keras.layers.Layer) -> None:
        super().__init__(autocast=False)
        self.layer = layer

    def call(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        return with_known_output(self.layer, x, y)

    def compute_output_spec(self, x: keras.KerasTensor, y: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(y.shape, y.dtype)


class ActivationReuse:
    """A network as two functional models that share its weights.

    `saving` gives the activations beside the outputs; `reusing` takes them beside the observation.
    To be made where the layers have the precision that they are to compute in.
    """

    def __init__(self, model: keras.Model) -> None:
        saved: dict[str, keras.KerasTensor] = {}

        def save(layer: keras.layers.Layer, name: str, x: keras.KerasTensor) -> keras.KerasTensor:
            saved[name] = layer(x)
            return saved[name]

        copy = replace_products(model, model.input, save)
        self._saving = keras.Model(copy.input, [copy.output, list(saved.values())])
        given = {name: keras.Input(batch_shape=x.shape, dtype=x.dtype) for name, x in saved.items()}
        # passed through, so that the copy may be built on inputs that the network does not have
        inputs = [model.input, list(given.values())]
        widened = keras.Model(inputs, [model.output, list(given.values())])
        reusing = replace_products(
            widened, inputs, lambda layer, name, x: ReusedLayer(layer)(x, given[name])
        )
        self._reusing = keras.Model(reusing.input, reusing.output[0])

    def forward_saving(self, observation: Any, core_state: CoreState) -> StepOutput:
        """Applies the policy to one step, and saves the activations, each `[B, ...]`."""
        output, activations = self._saving(observation)
        return StepOutput(output["policy"], output["value"], core_state, tuple(activations))

    def forward_reusing(self, model: keras.Model, trajectory: Trajectory) -> TrajectoryOutput:
        """Applies the network to a trajectory, from the activations that acting saved."""
        if not trajectory.activations:
            return forward.apply_to_trajectory(model, trajectory)
        saved = [flatten_time(x) for x in trajectory.activations]  # [T·B, ...] each
        first = tf.nest.map_structure(lambda x: flatten_time(x[:-1]), trajectory.observation)
        last = tf.nest.map_structure(lambda x: x[-1], trajectory.observation)  # [B, *obs]
        output = self._reusing([first, saved])
        policy, value = (split_time(output[h], trajectory.reward) for h in ("policy", "value"))
        return TrajectoryOutput(policy, value, model(last)["value"])
