"""Any `gymnasium.vector.VectorEnv` behind our contract, stepped by Python on its own thread."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
import tensorflow as tf
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from a2c_tf import spaces
from a2c_tf.envs.host.action_masks import MASK, flat_mask
from a2c_tf.envs.host.arrays import Lives, aligned_copy, reset_seed
from a2c_tf.envs.host.declarations import BoundsWarning
from a2c_tf.envs.host.environment_thread import EnvironmentThread
from a2c_tf.envs.host.episode_quota import QUOTA
from a2c_tf.envs.host.failures import CUT_OFF, FailureRecorder, HostEnvironmentError, one_line
from a2c_tf.envs.host.observed import StepSampler
from a2c_tf.envs.host.validation import (
    BrokenEnvironmentError,
    check_declared,
    check_finite,
    check_rows,
    locate_errors,
)
from a2c_tf.envs.rendering import frames
from a2c_tf.types import EnvSpec, ObservedSteps, TimeStep

log = logging.getLogger(__name__)

SUB_ENVIRONMENTS = (SyncVectorEnv, AsyncVectorEnv)
"""the vectors whose sub-environments are wrapped each, and so can stand still."""


class HostEnvironment(FailureRecorder):
    """Steps a vector environment, whose state stays on the host; ours is a token that orders calls.

    One thread makes, steps, draws and closes it.

    Args:
      make_vector_env: makes what is stepped; closed by `close`, and where this raises.
      env_id: its id.
      backend: the library it comes from.
      action_meanings: a name for each discrete action, where there are some.
      max_episode_steps: after which episodes are truncated; None: never.
      may_mask: whether `info` may hold action masks, which only a first reset shows.
      terminal_on_life_loss: whether `discount` is 0 where `info["lives"]` falls; the game goes on.

    Raises:
      ValueError: where the vector environment declares another autoreset mode than NEXT_STEP, or
        observes what no network takes.
      CommandError: for what it raises on a reset, which looks for masks.
    """

    def __init__(
        self,
        make_vector_env: Callable[[], VectorEnv],
        env_id: str,
        backend: str,
        *,
        action_meanings: tuple[str, ...] = (),
        max_episode_steps: int | None = None,
        may_mask: bool = True,
        terminal_on_life_loss: bool = False,
    ) -> None:
        super().__init__(env_id)
        self._thread, self.closed = EnvironmentThread(), True
        try:
            vector_env = self._vector_env = self._thread.call(make_vector_env)
        except BaseException:
            self._thread.stop()
            raise
        self.closed = False
        self._observation_space = vector_env.single_observation_space
        try:
            _check_autoreset(vector_env, env_id)
            self._parts = spaces.parts(self._observation_space)
            self._mask_size = self._on_thread(_mask_size)(vector_env) if may_mask else 0
        except BaseException:
            self.close()
            raise
        parts = self._parts.values()
        self._signature = [(space.shape or (), tf.as_dtype(space.dtype)) for space in parts]
        self._has_quotas = isinstance(vector_env.unwrapped, SUB_ENVIRONMENTS)
        # bounds that a library declares for all its environments say little
        self._bounds = BoundsWarning(env_id, self._parts if self._has_quotas else {})
        self._lives = Lives() if terminal_on_life_loss else None
        self._quotas: list[int] | None = None
        self._sampler = StepSampler()
        self.spec = EnvSpec(
            id=env_id,
            backend=backend,
            num_envs=vector_env.num_envs,
            observation_space=self._observation_space,
            action_space=vector_env.single_action_space,
            action_meanings=action_meanings,
            max_episode_steps=max_episode_steps,
            action_mask_size=self._mask_size,
        )

    def reset(self, seed: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        """Starts an episode in every environment; `seed` is `[2]` int32."""
        return self._called(self._reset, tf.constant(0, tf.int64), seed)

    def step(self, state: tf.Tensor, action: tf.Tensor) -> tuple[tf.Tensor, TimeStep]:
        """Steps every environment; the token makes each call wait for the one before."""
        return self._called(self._step, state + 1, action)

    def close(self) -> None:
        """Closes the vector environment; further calls do nothing."""
        if self.closed:
            return
        self.closed = True
        try:
            self._thread.call(self._vector_env.close)
        except Exception as error:  # another's code, and nothing depends on it any more
            log.warning("environment %s: close() raised %s", self._env_id, one_line(error))
        finally:
            self._thread.stop()

    def limit_episodes(self, quotas: Sequence[int] | None) -> None:
        """Lets each sub-environment of gymnasium's play that many episodes, and then stand still.

        Args:
          quotas: for the time from the next `reset` on, `[B]`; None: without end.
        """
        self._quotas = None if quotas is None else list(quotas)

    def observed_steps(self) -> ObservedSteps | None:
        """Returns a sample of the steps so far; None where there were none."""
        return self._sampler.steps(len(self._parts))

    @property
    def frames_per_second(self) -> int:
        """Returns the speed of videos."""
        return round(self._vector_env.metadata.get("render_fps") or 30)

    @property
    def can_render(self) -> bool:
        """Returns whether it could draw itself if it were made with `render_mode="rgb_array"`."""
        return "rgb_array" in (self._vector_env.metadata.get("render_modes") or ())

    @property
    def renders(self) -> bool:
        """Returns whether it was made with `render_mode="rgb_array"`."""
        return getattr(self._vector_env, "render_mode", None) == "rgb_array"

    def draw(self, state: tf.Tensor) -> np.ndarray:
        """Returns the first environment as it is now, an RGB frame by its own `render()`.

        Raises:
          HostEnvironmentError, DrawingError: where that fails, or returns no picture.
        """
        try:
            pictures = self._thread.call(self._vector_env.render)
        except Exception as error:  # another's code
            missing = isinstance(error, ImportError | gymnasium.error.DependencyNotInstalled)
            kind = frames.DrawingError if missing else HostEnvironmentError
            raise kind(
                f"environment {self.spec.id} cannot draw itself: {one_line(error)}"
            ) from None
        return frames.from_rendering(pictures[0] if pictures else None)

    def _called(
        self, function: Callable[..., Any], step: tf.Tensor, argument: tf.Tensor
    ) -> tuple[tf.Tensor, TimeStep]:
        """Returns token and time step from the arrays that `function` returns on the host.

        As few of them as can be, since TensorFlow parses numpy's version for each.
        """
        mask_signature = [((self._mask_size,), tf.bool)] if self._mask_size else []
        signature = [*self._signature, *mask_signature]
        dtypes = [tf.float32, *(dtype for _, dtype in signature)]
        rows, *rest = tf.numpy_function(self._on_thread(function), [step, argument], dtypes)
        with tf.control_dependencies([rows]):
            token = tf.identity(step)
        rows.set_shape([3, self.spec.num_envs])
        for leaf, (shape, _) in zip(rest, signature, strict=True):
            leaf.set_shape([self.spec.num_envs, *shape])
        reward, discount, last = tf.unstack(rows)
        observation = spaces.pack(self._observation_space, rest[: len(self._parts)])
        mask = rest[-1] if self._mask_size else ()
        return token, TimeStep(observation, reward, discount, tf.cast(last, tf.bool), mask)

    def _on_thread(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Returns the function, run on the environment's thread, with what it raises recorded."""
        return self.recorded(functools.partial(self._thread.call, function))

    def _reset(self, step: np.ndarray, seed: np.ndarray) -> tuple[np.ndarray, ...]:
        options = {QUOTA: self._quotas} if self._has_quotas else None
        with locate_errors("reset", *CUT_OFF):
            observation, info = self._vector_env.reset(seed=reset_seed(seed), options=options)
        nothing = np.zeros(self.spec.num_envs, bool)
        return self._arrived(int(step), observation, nothing, nothing, nothing, info)

    def _step(self, step: np.ndarray, action: np.ndarray) -> tuple[np.ndarray, ...]:
        with locate_errors(f"step {step}", *CUT_OFF):
            observation, reward, terminated, truncated, info = self._vector_env.step(action)
        return self._arrived(int(step), observation, reward, terminated, truncated, info)

    def _arrived(
        self,
        step: int,
        observation: Any,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        info: dict[str, Any],
    ) -> tuple[np.ndarray, ...]:
        """Returns a time step's arrays: rows of reward, discount and last, observation, masks."""
        check_rows(reward, (terminated, truncated), self.spec.num_envs, step)
        last = terminated | truncated
        ended = terminated | self._lives.lost(info) if self._lives else terminated
        rows = np.empty((3, self.spec.num_envs), np.float32)
        with np.errstate(over="ignore"):  # is found not to be finite
            observed = self._observed(step, observation)
            rows[0], rows[1], rows[2] = reward, ~ended, last
        check_finite("reward", rows[0], step)
        masks = [self._mask(step, info, last)] if self._mask_size else []
        self._sampler.add(observed, last, masks)
        return rows, *observed, *masks

    def _observed(self, step: int, observation: Any) -> list[np.ndarray]:
        """Returns the arrays of an observation in their dtypes, checked.

        Copies: the vector environment may write its next observation into the same memory.
        """
        arrays = [np.asarray(x) for x in spaces.arrays(self._observation_space, observation)]
        check_declared(self._parts, arrays, self.spec.num_envs, step)
        observed = [
            aligned_copy(array, dtype.as_numpy_dtype)
            for array, (_, dtype) in zip(arrays, self._signature, strict=True)
        ]
        for name, array in zip(self._parts, observed, strict=True):
            check_finite(name, array, step)
        self._bounds.check(dict(zip(self._parts, observed, strict=True)), step)
        return observed

    def _mask(self, step: int, info: dict[str, Any], last: np.ndarray) -> np.ndarray:
        """Returns `info["action_mask"]`, all True where it is missing, or an episode ended."""
        allowed = np.ones((self.spec.num_envs, self._mask_size), bool)
        given = info.get("_action_mask", np.zeros(self.spec.num_envs, bool)) & ~last
        for i in np.flatnonzero(given):
            allowed[i] = flat_mask(info[MASK][i])
            if not allowed[i].any():
                raise BrokenEnvironmentError(
                    f"sub-environment {i}, step {step}: action_mask allows no action"
                )
        return allowed


def _check_autoreset(vector_env: VectorEnv, env_id: str) -> None:
    mode = vector_env.metadata.get("autoreset_mode")
    if mode != AutoresetMode.NEXT_STEP:
        raise ValueError(
            f"environment {env_id} declares autoreset mode {mode}: expected "
            "AutoresetMode.NEXT_STEP; make it with autoreset_mode=AutoresetMode.NEXT_STEP"
        )


def _mask_size(vector_env: VectorEnv) -> int:
    """Returns the size of the masks in `info`, which only a reset shows; 0 without masks."""
    _, info = vector_env.reset(seed=0)
    return len(flat_mask(info[MASK][0])) if MASK in info else 0
