"""Any `gymnasium.vector` environment behind our contract, stepped by Python on the host."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium
import numpy as np
import tensorflow as tf
from gymnasium.vector import AutoresetMode, VectorEnv

from a2c_tf import spaces
from a2c_tf.command_line import CommandError
from a2c_tf.types import EnvSpec, TimeStep


class HostEnvironmentError(CommandError):
    """An environment raised in `reset` or `step`."""


class HostEnvironment:
    """A vector environment whose state stays on the host; ours is a token that orders the calls.

    Raises:
      ValueError: where the vector environment declares another autoreset mode than NEXT_STEP, or
        observes what no network takes.
    """

    def __init__(self, vector_env: VectorEnv, env_id: str, backend: str) -> None:
        mode = vector_env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.NEXT_STEP:
            raise ValueError(
                f"environment {env_id} declares autoreset mode {mode}: expected "
                "AutoresetMode.NEXT_STEP; make it with autoreset_mode=AutoresetMode.NEXT_STEP"
            )
        self._vector_env = vector_env
        self._observation_space = vector_env.single_observation_space
        parts = spaces.parts(self._observation_space).values()
        self._signature = [(space.shape or (), tf.as_dtype(space.dtype)) for space in parts]
        self._mask_size = _mask_size(vector_env)
        self.spec = EnvSpec(
            id=env_id,
            backend=backend,
            num_envs=vector_env.num_envs,
            observation_space=self._observation_space,
            action_space=vector_env.single_action_space,
            max_episode_steps=_time_limit(vector_env.spec),
            action_mask_size=self._mask_size,
        )

    def reset(self, seed: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        """Starts every environment anew; `seed` is `[2]` int32."""
        return self._called(self._reset, [seed])

    def step(self, state: tf.Tensor, action: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        """Steps every environment; the token makes each call wait for the one before."""
        return self._called(self._step, [state, action])

    def _called(
        self, function: Callable[..., Any], arguments: list[tf.Tensor]
    ) -> tuple[tf.Tensor, TimeStep]:
        """Token and time step from what `function` gives: arrays, as TensorFlow lets through."""
        signature = [
            *(((), dtype) for dtype in (tf.float32, tf.float32, tf.bool)),
            *self._signature,
            *([((self._mask_size,), tf.bool)] if self._mask_size else []),
        ]
        dtypes = [tf.int64, *(dtype for _, dtype in signature)]
        token, *leaves = tf.numpy_function(function, arguments, dtypes)
        token.set_shape([])
        for leaf, (shape, _) in zip(leaves, signature, strict=True):
            leaf.set_shape([self.spec.num_envs, *shape])
        reward, discount, last, *rest = leaves
        observation = spaces.pack(self._observation_space, rest[: len(self._signature)])
        mask = rest[-1] if self._mask_size else ()
        return token, TimeStep(observation, reward, discount, last, mask)

    def _reset(self, seed: np.ndarray) -> tuple[Any, ...]:
        entropy = np.random.SeedSequence(seed.astype(np.uint32).tolist())
        word = int(entropy.generate_state(1)[0] >> 1)
        observation, info = self._vector_env.reset(seed=word)
        nothing = np.zeros(self.spec.num_envs, bool)
        return self._arrived(0, observation, nothing.astype(float), nothing, nothing, info)

    def _step(self, token: np.ndarray, action: np.ndarray) -> tuple[Any, ...]:
        return self._arrived(token + 1, *self._vector_env.step(action))

    def _arrived(
        self,
        token: int | np.ndarray,
        observation: Any,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        info: dict[str, Any],
    ) -> tuple[Any, ...]:
        """All arrays of a time step, in the order of the signature."""
        last = terminated | truncated
        # a copy: the vector environment may write its next observation into the same memory
        copied = [np.array(x) for x in spaces.arrays(self._observation_space, observation)]
        masks = [self._mask(info, last)] if self._mask_size else []
        discount = np.where(terminated, np.float32(0), np.float32(1))
        return np.int64(token), reward.astype(np.float32), discount, last, *copied, *masks

    def _mask(self, info: dict[str, Any], last: np.ndarray) -> np.ndarray:
        """`info["action_mask"]`, all allowed where an environment gave none or is at its end."""
        allowed = np.ones((self.spec.num_envs, self._mask_size), bool)
        given = info.get("_action_mask", np.zeros(self.spec.num_envs, bool)) & ~last
        for i in np.flatnonzero(given):
            allowed[i] = _row(info["action_mask"][i])
            if not allowed[i].any():
                raise ValueError(f"action_mask of sub-environment {i} allows no action")
        return allowed


def _mask_size(vector_env: VectorEnv) -> int:
    """Of the masks in `info`, which only a reset shows; 0 where there are none."""
    _, info = vector_env.reset(seed=0)
    return len(_row(info["action_mask"][0])) if "action_mask" in info else 0


def _row(mask: Any) -> np.ndarray:
    """One environment's mask; that of several choices may be a tuple with a mask for each."""
    return np.concatenate(mask) if isinstance(mask, tuple | list) else np.asarray(mask).reshape(-1)


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
