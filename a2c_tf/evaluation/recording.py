"""One episode of an agent as frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from a2c_tf.agent import Agent
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment, GraphEnvironment
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.envs.rendering import frames
from a2c_tf.evaluation import evaluator, players
from a2c_tf.types import UnrollState

MAX_STEPS = 3000
"""no video is longer, or that of a game without end would fill memory and disk."""
OTHER_FRAMES_PER_SECOND = 30


class Recorder:
    """Plays an episode as an evaluation of one episode does, and draws each of its states.

    Raises:
      DrawingError: where there is no way to draw the environment.
    """

    def __init__(self, agent: Agent, config: Config, deterministic: bool) -> None:
        self._env = registry.make_drawable(config.env.model_copy(update={"num_envs": 1}))
        self._draw = _painter(self._env, is_colored=not config.env.atari.grayscale)
        self._advance = players.make_playing(self._env, agent, config, deterministic)
        self._agent = agent
        self.frames_per_second = getattr(self._env, "frames_per_second", OTHER_FRAMES_PER_SECOND)
        self.steps = 0
        """played so far."""
        self.episode_return = 0.0
        """of these steps."""
        self.complete = False
        """whether the episode came to its end; it is cut after MAX_STEPS."""

    def frames(self, seed: int) -> Iterator[np.ndarray]:
        """The episode that follows from `seed`, its first and its last state included."""
        with report_errors(self._env):
            start = self._agent.start(self._env, players.playing_seeds(seed))
            states = evaluator.episode(self._agent.policy, self._advance, start, MAX_STEPS)
            for self.steps, state in enumerate(states):
                self.episode_return = float(state.episode_return[0])
                self.complete = bool(state.time_step.last[0])
                yield self._draw(state)


def _painter(env: Environment, is_colored: bool) -> Callable[[UnrollState], np.ndarray]:
    """What draws a state: the environment, or the picture that it observes."""
    if isinstance(env, GraphEnvironment) or (isinstance(env, HostEnvironment) and env.renders):
        return lambda state: env.draw(state.env_state)
    if frames.is_picture(env.spec.observation_space):
        return lambda state: frames.newest(state.time_step.observation[0].numpy(), is_colored)
    raise frames.DrawingError(
        f"environment {env.spec.id} cannot be drawn: expected the render mode rgb_array among its "
        f"metadata's render_modes, or pictures of uint8 as observations, not "
        f"{env.spec.observation_space}"
    )
