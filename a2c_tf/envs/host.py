"""Any `gymnasium.vector` environment behind our contract, stepped by Python on the host."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import tensorflow as tf
from gymnasium.vector import AutoresetMode, VectorEnv

from a2c_tf.command_line import CommandError
from a2c_tf.types import EnvSpec, TimeStep


class HostEnvironmentError(CommandError):
    """An environment raised in `reset` or `step`."""


class HostEnvironment:
    """A vector environment whose state stays on the host; ours is a token that orders the calls.

    Raises:
      ValueError: where the vector environment declares another autoreset mode than NEXT_STEP, or
        an observation is not one array.
    """

    def __init__(self, vector_env: VectorEnv, env_id: str, backend: str) -> None:
        mode = vector_env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.NEXT_STEP:
            raise ValueError(
                f"environment {env_id} declares autoreset mode {mode}: expected "
                "AutoresetMode.NEXT_STEP; make it with autoreset_mode=AutoresetMode.NEXT_STEP"
            )
        space = vector_env.single_observation_space
        if space.dtype is None or space.shape is None:
            raise ValueError(
                f"environment {env_id} observes {space}: expected one array, such as a Box; "
                "wrap it in gymnasium.wrappers.FlattenObservation"
            )
        self._vector_env = vector_env
        self._observation_dtype = tf.as_dtype(space.dtype)
        self.spec = EnvSpec(
            id=env_id,
            backend=backend,
            num_envs=vector_env.num_envs,
            observation_space=space,
            action_space=vector_env.single_action_space,
            max_episode_steps=_time_limit(vector_env.spec),
        )

    def reset(self, seed: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        """Starts every environment anew; `seed` is `[2]` int32."""
        observation = tf.numpy_function(self._reset, [seed], self._observation_dtype)
        num_envs = self.spec.num_envs
        return tf.zeros([], tf.int64), TimeStep(
            observation=self._with_shape(observation),
            reward=tf.zeros([num_envs]),
            discount=tf.ones([num_envs]),
            last=tf.zeros([num_envs], tf.bool),
        )

    def step(self, state: tf.Tensor, action: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        """Steps every environment; the token makes each call wait for the one before."""
        outputs = [self._observation_dtype, tf.float32, tf.float32, tf.bool, tf.int64]
        *leaves, token = tf.numpy_function(self._step, [state, action], outputs)
        for leaf in leaves[1:]:
            leaf.set_shape([self.spec.num_envs])
        token.set_shape([])
        return token, TimeStep(self._with_shape(leaves[0]), *leaves[1:])

    def _reset(self, seed: np.ndarray) -> np.ndarray:
        entropy = np.random.SeedSequence(seed.astype(np.uint32).tolist())
        observation, _ = self._vector_env.reset(seed=int(entropy.generate_state(1)[0] >> 1))
        return np.array(observation)

    def _step(self, token: np.ndarray, action: np.ndarray) -> tuple[Any, ...]:
        observation, reward, terminated, truncated, _ = self._vector_env.step(action)
        discount = np.where(terminated, np.float32(0), np.float32(1))
        # a copy: the vector environment may write its next observation into the same memory
        copied = np.array(observation)
        return copied, reward.astype(np.float32), discount, terminated | truncated, token + 1

    def _with_shape(self, observation: tf.Tensor) -> tf.Tensor:
        observation.set_shape([self.spec.num_envs, *self.spec.observation_shape])
        return observation


def _time_limit(spec: gymnasium.envs.registration.EnvSpec | None) -> int | None:
    """`make_vec` notes a limit that it was given in `kwargs`, beside the registered one."""
    return spec.kwargs.get("max_episode_steps", spec.max_episode_steps) if spec else None


def make_gymnasium(env_id: str, num_envs: int, **settings: Any) -> HostEnvironment:
    """gymnasium's vector environment for `env_id`, by its own vector entry point if it has one."""
    return HostEnvironment(
        gymnasium.make_vec(env_id, num_envs=num_envs, **settings), env_id, "gymnasium"
    )


@contextlib.contextmanager
def failures_named(env_id: str) -> Iterator[None]:
    """Turns what TensorFlow makes of an environment's exception into one line.

    Raises:
      HostEnvironmentError: naming the environment and its own error.
    """
    try:
        yield
    except tf.errors.OpError as error:
        lines = str(error.message).strip().splitlines()
        reason = next((line for line in lines if re.match(r"\w+: \S", line)), lines[0])
        raise HostEnvironmentError(f"environment {env_id} raised {reason}") from None
