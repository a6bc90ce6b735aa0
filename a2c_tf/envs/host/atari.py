"""Atari games by ale-py: its native vector environment, or gymnasium's wrappers.

Both give the same frames and rewards; what becomes of the emulator's frames is that of Mnih et
al. (2015), and rewards and episode ends are the game's own.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation, TimeLimit
from gymnasium.wrappers.vector import TransformObservation

from a2c_tf.config import AtariConfig, EnvConfig
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.gymnasium_vector import make_vector, registered
from a2c_tf.envs.host.wrapping import wrap_by

PREFIX = "ALE/"
MAX_FRAMES = 108_000
"""half an hour of play, after which a game is truncated."""
STICKY_PROBABILITY = 0.25
FIRE = 1
"""its number among a game's actions, where it is one of them."""
COLORS = 3


class PressFire(gymnasium.Wrapper):
    """Presses FIRE for one frame at a game's start, without which some games wait."""

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        self.env.reset(**options)
        observation, _, _, _, info = self.env.step(FIRE)
        return observation, info


class RepeatAction(gymnasium.Wrapper):
    """Repeats an action for a number of frames, the last of which is observed as it is."""

    def __init__(self, env: gymnasium.Env, frames: int) -> None:
        super().__init__(env)
        self._frames = frames

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        total = 0.0
        for _ in range(self._frames):
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return observation, total, terminated, truncated, info


def sticky_probability(config: EnvConfig) -> float:
    """Returns the config's chance of a sticky action, else gymnasium's (Machado et al., 2018)."""
    given = config.sticky_action_probability
    return STICKY_PROBABILITY if given is None else given


def max_steps(config: EnvConfig) -> int:
    """Returns the most steps of an episode, those of its start not counted."""
    return config.max_episode_steps or MAX_FRAMES // config.atari.frame_skip


def make_ale(config: EnvConfig) -> HostEnvironment:
    """Returns ale-py's own vector environment, stepped from within the graph where possible."""
    return adapt_ale(make_ale_vector(config), config)


def make_ale_vector(config: EnvConfig) -> VectorEnv:
    """Returns an `AtariVectorEnv`, which steps the emulators on threads."""
    from ale_py.vector_env import AtariVectorEnv

    atari, game = config.atari, registered(f"ale_py:{config.id}").kwargs["game"]
    return AtariVectorEnv(
        game,
        config.num_envs,
        num_threads=config.num_threads,
        max_num_frames_per_episode=max_steps(config) * atari.frame_skip,
        repeat_action_probability=sticky_probability(config),
        full_action_space=atari.full_action_space,
        autoreset_mode=AutoresetMode.NEXT_STEP,
        img_height=atari.screen_size,
        img_width=atari.screen_size,
        grayscale=atari.grayscale,
        stack_num=atari.frame_stack,
        frameskip=atari.frame_skip,
        maxpool=atari.max_pool and atari.frame_skip > 1,
        noop_max=atari.noop_max + 1,  # exclusive there
        use_fire_reset=atari.fire_reset,
        # of the whole game: the learner may clip rewards, and the adapter handles lost lives
        reward_clipping=False,
        episodic_life=False,
        life_loss_info=False,
    )


def adapt_ale(vector_env: VectorEnv, config: EnvConfig) -> HostEnvironment:
    """Returns ale-py's vector environment behind our contract."""
    from a2c_tf.envs.host import ale

    in_graph = config.atari.grayscale and ale.is_available()
    kind = ale.AleEnvironment if in_graph else HostEnvironment
    in_planes = _in_planes(vector_env, config.atari)
    return adapt(lambda: in_planes, config, "ale", kind)


def make_gymnasium_atari(config: EnvConfig, **settings: Any) -> HostEnvironment:
    """Returns gymnasium's environments, in wrappers that do the same to the frames."""
    registered(f"ale_py:{config.id}")  # an unknown game is reported before anything is made
    make = functools.partial(
        make_vector,
        f"ale_py:{config.id}",
        config.num_envs,
        config.vectorization or "sync",
        wrap_by(config.wrappers, functools.partial(_wrap, config.atari, max_steps(config))),
        info_keys=("lives",),
        frameskip=1,
        repeat_action_probability=sticky_probability(config),
        max_num_frames_per_episode=0,  # it would count those of the start
        full_action_space=config.atari.full_action_space,
        **config.kwargs,
        **settings,
    )
    return adapt(lambda: _in_planes(make(), config.atari), config, "gymnasium")


def adapt(
    make_vector_env: Callable[[], VectorEnv],
    config: EnvConfig,
    backend: str,
    kind: type[HostEnvironment] = HostEnvironment,
) -> HostEnvironment:
    """Returns the vector environment behind our contract.

    Args:
      make_vector_env: makes what steps the games.
      config: settings of the environment.
      backend: the library that the vector environment comes from.
      kind: the adapter's class.

    Returns:
      An adapter with the game's action meanings and limit.
    """
    return kind(
        make_vector_env,
        config.id,
        backend,
        action_meanings=_action_meanings(config),
        max_episode_steps=max_steps(config),
        may_mask=False,
        terminal_on_life_loss=config.atari.terminal_on_life_loss,
    )


def _wrap(atari: AtariConfig, limit: int, env: gymnasium.Env) -> gymnasium.Env:
    if atari.fire_reset and env.get_wrapper_attr("get_action_meanings")()[FIRE] == "FIRE":
        env = PressFire(env)
    pooled, repeated = (atari.frame_skip, 1) if atari.max_pool else (1, atari.frame_skip)
    env = AtariPreprocessing(
        env, atari.noop_max, pooled, atari.screen_size, grayscale_obs=atari.grayscale
    )
    env = TimeLimit(RepeatAction(env, repeated), limit)
    return FrameStackObservation(env, atari.frame_stack, padding_type="zero")


def _in_planes(vector_env: VectorEnv, atari: AtariConfig) -> VectorEnv:
    """Turns frames in colour `[stack, H, W, 3]` into `[3 stack, H, W]`, an image to networks."""
    if atari.grayscale:
        return vector_env
    shape = (COLORS * atari.frame_stack, atari.screen_size, atari.screen_size)
    return TransformObservation(
        vector_env,
        lambda frames: np.moveaxis(frames, -1, 2).reshape(-1, *shape),  # [B, 3 stack, H, W]
        single_observation_space=Box(0, 255, shape, np.uint8),
    )


def _action_meanings(config: EnvConfig) -> tuple[str, ...]:
    """Returns the names of the game's actions, which only an emulator of ale-py knows."""
    if importlib.util.find_spec("ale_py") is None:
        return ()
    full = config.atari.full_action_space
    env = gymnasium.make(f"ale_py:{config.id}", full_action_space=full)
    with contextlib.closing(env):
        return tuple(name.lower() for name in env.get_wrapper_attr("get_action_meanings")())
