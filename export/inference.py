"""The function that is exported: observation in, greedy action, logits and value out."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from a2c_tf.builders import Agent

OUTPUTS = ("action", "logits", "value")


class Inference(tf.Module):
    """An agent as one pure function; scaling is inside, random numbers are not."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(name="inference")
        shape = [None, *agent.spec.observation_shape]
        dtype = tf.as_dtype(agent.spec.observation_space.dtype)
        self.signature = tf.TensorSpec(shape, dtype, "observation")
        self._agent = agent
        self._model = agent.model  # tracked, so that the SavedModel holds the weights
        self.act = tf.function(self._act, input_signature=[self.signature], autograph=False)

    def _act(self, observation: tf.Tensor) -> dict[str, tf.Tensor]:
        output = self._model(observation, training=False)
        return {
            "action": tf.identity(self._agent.distribution.mode(output["policy"]), "action"),
            "logits": tf.identity(output["policy"], "logits"),
            "value": tf.identity(output["value"], "value"),
        }

    def __call__(self, observation: np.ndarray) -> dict[str, np.ndarray]:
        """What the network itself says, without any file between."""
        return {name: tensor.numpy() for name, tensor in self.act(observation).items()}
