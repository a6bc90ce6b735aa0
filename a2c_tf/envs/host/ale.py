"""ale-py's vector environment, stepped from within the compiled graph.

ale-py made the functions for JAX. `HostEnvironment` does the same by Python and arrays of numpy,
and stands in where they cannot be called.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from a2c_tf.envs.host import xla_handlers
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.arrays import reset_seed
from a2c_tf.envs.host.failures import HostEnvironmentError, one_line
from a2c_tf.errors import CommandError
from a2c_tf.types import TimeStep

RESET, STEP = "atari_vector_xla_reset", "atari_vector_xla_step"


class AleState(NamedTuple):
    """Orders the calls of one environment; the emulators' own state stays in ale-py."""

    handle: tf.Tensor
    """`[8]` uint8, where the emulators are; that each call hands it on keeps the calls in order."""
    lives: tf.Tensor
    """`[B]` int32, of the games."""


@functools.cache
def is_available() -> bool:
    """Returns whether TensorFlow can call ale-py's functions: on the CPU, where versions agree."""
    functions = importlib.import_module("ale_py._ale_py")
    if tf.config.list_physical_devices("GPU"):
        return False
    try:
        for name, capsule in ((RESET, functions.VectorXLAReset), (STEP, functions.VectorXLAStep)):
            xla_handlers.register(name, xla_handlers.address_of(capsule()))
    except (AttributeError, xla_handlers.UnavailableError):
        return False
    return True


class AleEnvironment(HostEnvironment):
    """Steps an `AtariVectorEnv` of grey frames from within the graph.

    Raises:
      tf.errors.InternalError: from `reset` and `step`, where ale-py raised.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        emulators: Any = self._vector_env
        self._handle = np.frombuffer(emulators.ale.handle(), np.uint8)
        """of an object in C++, which lives as long as the vector environment."""
        self._compiled_reset = xla_handlers.program(self._started)
        self._compiled_step = xla_handlers.program(self._stepped)

    def reset(self, seed: tf.Tensor) -> tuple[AleState, TimeStep]:
        """Starts an episode in every environment; `seed` is `[2]` int32."""
        seeds = tf.numpy_function(self.recorded(self._seeds), [seed], tf.int32)
        seeds.set_shape([self.spec.num_envs])
        return self._compiled_reset(seeds)

    def step(self, state: AleState, action: tf.Tensor) -> tuple[AleState, TimeStep]:
        """Steps every environment; the state makes each call wait for the one before."""
        return self._compiled_step(state, action)

    def take_failure(self, error: tf.errors.OpError) -> CommandError | None:
        """Returns the failure that TensorFlow reports as `error`, which ale-py may have raised."""
        failure = super().take_failure(error)
        if failure is None and isinstance(error, tf.errors.InternalError):
            return HostEnvironmentError(f"environment {self.spec.id} raised {one_line(error)}")
        return failure

    def _seeds(self, seed: np.ndarray) -> np.ndarray:
        """Returns the seeds that `AtariVectorEnv.reset` makes of one."""
        seeds = reset_seed(seed) + np.arange(self.spec.num_envs)
        return (seeds & np.iinfo(np.int32).max).astype(np.int32)

    def _started(self, seeds: tf.Tensor) -> tuple[AleState, TimeStep]:
        indices = tf.range(self.spec.num_envs)
        results = [*self._frames, *[self._rows(tf.int32)] * 4]
        arguments = [tf.constant(self._handle), indices, seeds]
        handle, observation, _, lives, *_ = xla_handlers.call(RESET, arguments, results)
        nothing = tf.zeros([self.spec.num_envs])
        arrived = TimeStep(observation, nothing, nothing + 1, tf.zeros_like(nothing, tf.bool))
        return AleState(handle, lives), arrived

    def _stepped(self, state: AleState, action: tf.Tensor) -> tuple[AleState, TimeStep]:
        strength = tf.ones([self.spec.num_envs])  # of a paddle, where actions are continuous
        ends = [self._rows(tf.bool)] * 2
        results = [*self._frames, self._rows(tf.int32), *ends, *[self._rows(tf.int32)] * 4]
        arguments = [state.handle, tf.cast(action, tf.int32), strength]
        handle, observation, reward, terminated, truncated, _, lives, *_ = xla_handlers.call(
            STEP, arguments, results
        )
        ended = terminated | (lives < state.lives) if self._lives else terminated
        arrived = TimeStep(
            observation,
            tf.cast(reward, tf.float32),
            tf.cast(~ended, tf.float32),
            terminated | truncated,
        )
        return AleState(handle, lives), arrived

    @property
    def _frames(self) -> list[tf.TensorSpec]:
        """Returns the first results of every call: the handle again, and the observation."""
        shape = [self.spec.num_envs, *self.spec.observation_shape]
        return [tf.TensorSpec(self._handle.shape, tf.uint8), tf.TensorSpec(shape, tf.uint8)]

    def _rows(self, dtype: tf.DType) -> tf.TensorSpec:
        return tf.TensorSpec([self.spec.num_envs], dtype)
