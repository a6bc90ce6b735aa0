"""gymnasium's environments as vectors: in this process, in one each, or by their own version."""

from __future__ import annotations

import contextlib
import functools
import importlib
import multiprocessing
import signal
import warnings
import weakref
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from a2c_tf.envs.host.action_masks import with_masks
from a2c_tf.envs.host.episode_quota import EpisodeQuota
from a2c_tf.envs.host.integer_actions import with_integers
from a2c_tf.envs.host.validation import ValidatedEnv

Wrap = Callable[[gymnasium.Env], gymnasium.Env]


def make_vector(
    env_id: str,
    num_envs: int,
    vectorization: str | None = None,
    wrap: Wrap | None = None,
    info_keys: tuple[str, ...] = (),
    **settings: Any,
) -> VectorEnv:
    """Returns a vector of `num_envs` environments of that id.

    Args:
      env_id: gymnasium's, or `my_module:MyEnv-v0`.
      num_envs: B.
      vectorization: `sync`, `async`, or None: the environment's own vector version if it has one.
      wrap: puts wrappers around each; picklable.
      info_keys: of `info`, that are kept beside the action mask.
      settings: further arguments of `gymnasium.make`.

    Returns:
      A vector environment that the caller closes.
    """
    spec = registered(env_id)
    if vectorization is None and wrap is None and spec.vector_entry_point is not None:
        mode = gymnasium.VectorizeMode.VECTOR_ENTRY_POINT
        return gymnasium.make_vec(env_id, num_envs, vectorization_mode=mode, **settings)
    make = functools.partial(gymnasium.make, env_id, **settings)
    return vectorized(make, num_envs, vectorization, wrap, info_keys)


def vectorized(
    make: Callable[[], gymnasium.Env],
    num_envs: int,
    vectorization: str | None = None,
    wrap: Wrap | None = None,
    info_keys: tuple[str, ...] = (),
) -> VectorEnv:
    """Returns a vector of the environments that `make` returns.

    Args:
      make: makes one of them; picklable where they live in processes.
      num_envs: B.
      vectorization: `async`: a process each; else all in this one.
      wrap: puts wrappers around each; picklable.
      info_keys: of `info`, that are kept beside the action mask.

    Returns:
      A vector environment that the caller closes.
    """
    one = functools.partial(_make_one, make, wrap, info_keys)
    if vectorization == "async":
        makers = [functools.partial(_make_in_worker, one, i) for i in range(num_envs)]
        # a process that has TensorFlow cannot be forked
        return QuietAsyncVectorEnv(makers, context="forkserver")
    return _make_sync([functools.partial(one, i) for i in range(num_envs)])


def registered(env_id: str) -> gymnasium.envs.registration.EnvSpec:
    """Returns gymnasium's entry for the id, after importing the module that it may name."""
    module, _, name = env_id.rpartition(":")
    if module:
        importlib.import_module(module)
    return gymnasium.spec(name)


def _make_one(
    make: Callable[[], gymnasium.Env], wrap: Wrap | None, info_keys: tuple[str, ...], index: int
) -> EpisodeQuota:
    """Makes one sub-environment: the user's own, checked, with the masks where we look for them."""
    env = make()
    try:
        env = wrap(env) if wrap else env
        return EpisodeQuota(ValidatedEnv(with_masks(with_integers(env), info_keys), index), index)
    except Exception:
        env.close()
        raise


def _make_sync(makers: Sequence[Callable[[], gymnasium.Env]]) -> VectorEnv:
    """Makes all of them, or closes those that were made before one failed."""
    made: list[gymnasium.Env] = []

    def noted(make: Callable[[], gymnasium.Env]) -> gymnasium.Env:
        made.append(make())
        return made[-1]

    try:
        return SyncVectorEnv([functools.partial(noted, make) for make in makers])
    except Exception:
        for env in made:
            env.close()
        raise


def _make_in_worker(one: Callable[[int], gymnasium.Env], index: int) -> gymnasium.Env:
    """Ignores SIGINT, SIGTERM and SIGHUP in workers, so that the parent can save first.

    gymnasium makes the first in the run's own process, too, to learn its spaces.
    """
    if multiprocessing.parent_process() is not None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
    return one(index)


class QuietAsyncVectorEnv(AsyncVectorEnv):
    """Raises what a worker raised, without printing its traceback too; leaves no worker behind."""

    def __init__(self, makers: Sequence[Callable[[], gymnasium.Env]], **settings: Any) -> None:
        super().__init__(makers, **settings)
        weakref.finalize(self, _kill, self.processes)

    def close_extras(self, timeout: float | None = None, terminate: bool = False) -> None:
        """Closes the sub-environments, or kills the workers, which do not listen to SIGTERM.

        Args:
          timeout: seconds to wait for a call that is pending; None: until it is done.
          terminate: kills the workers at once; else only where one of them has ended by itself.
        """
        if not terminate:
            with contextlib.suppress(EOFError, OSError), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a call that a lost worker has left pending
                super().close_extras(timeout)
                return
        _kill(self.processes)
        for process in self.processes:
            process.join()
        for pipe in self.parent_pipes:
            if pipe is not None:
                pipe.close()

    def _raise_if_errors(self, successes: Iterable[bool]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            super()._raise_if_errors(successes)


def _kill(processes: Iterable[BaseProcess]) -> None:
    for process in processes:
        process.kill()
