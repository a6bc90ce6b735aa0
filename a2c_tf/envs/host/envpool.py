"""EnvPool's environments, stepped by threads of C++, as a vector environment of gymnasium."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from a2c_tf.config import EnvConfig
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.atari import PREFIX, adapt, max_steps, sticky_probability

NO_LIMIT = 2**31 - 1
"""steps of an episode that EnvPool never truncates."""


def has(env_id: str) -> bool:
    """Returns whether EnvPool has the environment."""
    return _name(env_id) in ids()


def ids() -> list[str]:
    """Returns the ids of all environments of EnvPool, which have no `ALE/` there."""
    names: list[str] = importlib.import_module("envpool").list_all_envs()
    return names


def make_envpool(config: EnvConfig) -> HostEnvironment:
    """Returns the environment that `config` names, which may be an `ALE/` game."""
    settings = {"num_threads": config.num_threads}
    if config.id.startswith(PREFIX):
        vector_env = EnvPoolVectorEnv(
            config, {**settings, **_atari(config)}, config.atari.frame_stack
        )
        return adapt(lambda: vector_env, config, "envpool")
    if config.max_episode_steps is not None:
        settings["max_episode_steps"] = config.max_episode_steps
    vector_env = EnvPoolVectorEnv(config, settings)
    if vector_env.is_atari:
        vector_env.close()
        raise ValueError(f"an Atari game; name it {PREFIX}{config.id}, with this recipe")
    return HostEnvironment(
        lambda: vector_env,
        config.id,
        "envpool",
        max_episode_steps=vector_env.max_episode_steps,
        may_mask=False,
    )


class EnvPoolVectorEnv(VectorEnv):
    """Steps a pool of environments; each reset makes another pool, since a pool has one seed.

    Args:
      config: id and number of environments.
      settings: further arguments of `envpool.make`.
      frame_stack: frames to stack here, zeros before the first, where EnvPool would repeat it;
        0: frames are not stacked.
    """

    def __init__(self, config: EnvConfig, settings: dict[str, Any], frame_stack: int = 0) -> None:
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs = config.num_envs
        self._name, self._settings = _name(config.id), settings
        self._pool = self._make(0)
        self.single_action_space = self._pool.action_space
        self.single_observation_space = self._pool.observation_space
        self._stack = None
        if frame_stack:
            planes, *size = self._pool.observation_space.shape
            shape = (frame_stack * planes, *size)
            self._stack = np.zeros((self.num_envs, *shape), np.uint8)
            self.single_observation_space = Box(0, 255, shape, np.uint8)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._last = np.zeros(self.num_envs, bool)

    @property
    def is_atari(self) -> bool:
        """Returns whether it has the settings of DeepMind's recipe."""
        return hasattr(self._pool.spec.config, "episodic_life")

    @property
    def max_episode_steps(self) -> int | None:
        """Returns the steps after which EnvPool truncates an episode; None: never."""
        limit = int(self._pool.spec.config.max_episode_steps)
        return None if limit == NO_LIMIT else limit

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts all episodes; the seed is that of the whole pool."""
        self._pool.close()
        self._pool = self._make(seed if isinstance(seed, int) else 0)
        observation, info = self._pool.reset()
        self._last[:] = True
        stacked = self._stacked(observation)
        self._last[:] = False
        return stacked, info

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Steps all; the pool resets those that ended a step before."""
        observation, reward, terminated, truncated, info = self._pool.step(actions)
        stacked = self._stacked(observation)
        self._last = terminated | truncated
        return stacked, reward, terminated, truncated, info

    def close_extras(self, **settings: Any) -> None:
        """Closes the pool."""
        self._pool.close()

    def _make(self, seed: int) -> Any:
        envpool = importlib.import_module("envpool")
        pool = envpool.make(
            self._name,
            env_type="gymnasium",
            num_envs=self.num_envs,
            seed=seed % 2**31,
            **self._settings,
        )
        with warnings.catch_warnings():  # of float64 bounds; each pool makes its spaces once
            warnings.simplefilter("ignore")
            _ = pool.observation_space, pool.action_space
        return pool

    def _stacked(self, frames: np.ndarray) -> np.ndarray:
        """Returns `[B, planes, ...]` as a stack `[B, stack * planes, ...]`, the newest last."""
        if self._stack is None:
            return frames
        planes = frames.shape[1]
        self._stack[:, :-planes] = np.where(_rows(self._last, frames), 0, self._stack[:, planes:])
        self._stack[:, -planes:] = frames
        return self._stack


def _rows(flags: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Returns flags `[B]` as `[B, 1, ...]`."""
    return flags.reshape(-1, *[1] * (like.ndim - 1))


def _atari(config: EnvConfig) -> dict[str, Any]:
    """Returns the settings by EnvPool's names, whose defaults differ."""
    atari = config.atari
    if atari.noop_max == 0:
        raise ValueError("env.atari.noop_max=0: envpool plays at least one; use backend ale")
    if atari.frame_skip > 1 and not atari.max_pool:
        raise ValueError("env.atari.max_pool=false: envpool takes the maximum; use backend ale")
    return {
        "max_episode_steps": max_steps(config),
        "stack_num": 1,
        "frame_skip": atari.frame_skip,
        "noop_max": atari.noop_max,
        "episodic_life": False,
        "reward_clip": False,
        "use_fire_reset": atari.fire_reset,
        "img_height": atari.screen_size,
        "img_width": atari.screen_size,
        "full_action_space": atari.full_action_space,
        "repeat_action_probability": sticky_probability(config),
        "use_inter_area_resize": True,
        "gray_scale": atari.grayscale,
    }


def _name(env_id: str) -> str:
    return env_id.removeprefix(PREFIX)
