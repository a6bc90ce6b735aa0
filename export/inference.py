"""The function that is exported: observation in, greedy action and what it rests on out."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from a2c_tf import spaces
from a2c_tf.agent import Agent
from a2c_tf.distributions import apply_mask
from a2c_tf.networks import forward

MASK, STATE_IN, RESET, STATE_OUT = "action_mask", "state_in", "reset", "state_out"

Inputs = dict[str, np.ndarray]
Outputs = dict[str, np.ndarray]


class Inference(tf.Module):
    """An agent as one pure function; scaling is inside, random numbers are not.

    Its inputs are the arrays of an observation, `action_mask` where the environment has one, and
    `state_in` and `reset` where the agent is recurrent: rows that reset remember nothing.
    """

    def __init__(self, agent: Agent) -> None:
        super().__init__(name="inference")
        self.signature = _signature(agent)
        self._agent = agent
        self._model = agent.model  # tracked, so that the SavedModel holds the weights
        self.act = tf.function(self.outputs, input_signature=self.signature, autograph=False)

    @property
    def weights(self) -> list[keras.Variable]:
        """All that the function depends on beside its inputs."""
        return list(self._model.weights)

    def outputs(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the outputs by name, of inputs in the order of the signature."""
        inputs = dict(zip((spec.name for spec in self.signature), tensors, strict=True))
        distribution, space = self._agent.distribution, self._agent.spec.observation_space
        observation = spaces.pack(space, [inputs[name] for name in spaces.parts(space)])
        output = forward.apply_policy(self._model, observation, _core_state(inputs))
        parameters = apply_mask(distribution, output.parameters, inputs.get(MASK, ()))
        outputs = {
            "action": distribution.to_env_action(distribution.mode(parameters)),
            **distribution.outputs(parameters),
            "value": output.value,
        }
        if not isinstance(output.core_state, tuple):
            outputs[STATE_OUT] = output.core_state
        return {name: tf.identity(tensor, name) for name, tensor in outputs.items()}

    def __call__(self, inputs: Inputs) -> Outputs:
        """Returns the network's own outputs, without any file between."""
        tensors = [tf.constant(inputs[spec.name]) for spec in self.signature]
        return {name: tensor.numpy() for name, tensor in self.act(*tensors).items()}


def _signature(agent: Agent) -> list[tf.TensorSpec]:
    def batch(name: str, shape: tuple[int, ...], dtype: str) -> tf.TensorSpec:
        return tf.TensorSpec([None, *shape], tf.as_dtype(dtype), name)

    parts = spaces.parts(agent.spec.observation_space).items()
    signature = [batch(name, part.shape or (), str(part.dtype)) for name, part in parts]
    if agent.spec.action_mask_size:
        signature.append(batch(MASK, (agent.spec.action_mask_size,), "bool"))
    if agent.is_recurrent:
        signature.append(
            batch(STATE_IN, tuple(agent.model.output["core_state"].shape[1:]), "float32")
        )
        signature.append(batch(RESET, (), "bool"))
    return signature


def _core_state(inputs: dict[str, tf.Tensor]) -> tf.Tensor | tuple[()]:
    if STATE_IN not in inputs:
        return ()
    return tf.where(inputs[RESET][:, tf.newaxis], 0.0, inputs[STATE_IN])
