"""One episode of an agent as frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.envs.base import Environment, GraphEnvironment
from a2c_tf.envs.host.adapter import HostEnvironment
from a2c_tf.envs.rendering import frames
from a2c_tf.evaluation.evaluator import Evaluator
from a2c_tf.types import UnrollState

MAX_STEPS = 3000
"""no video is longer, or that of a game without end would fill memory and disk."""
OTHER_FRAMES_PER_SECOND = 30


class Recording:
    """An episode of an evaluator's first environment, each of its states drawn as it is played.

    Raises:
      DrawingError: where there is no way to draw the environment.
    """

    def __init__(self, evaluator: Evaluator, config: Config) -> None:
        env = evaluator.env
        self._draw = _painter(env, is_colored=not config.env.atari.grayscale)
        self._evaluator = evaluator
        self.frames_per_second = getattr(env, "frames_per_second", OTHER_FRAMES_PER_SECOND)
        self.steps = 0
        """played so far."""
        self.episode_return = 0.0
        """of these steps."""
        self.complete = False
        """whether the episode came to its end; it is cut after MAX_STEPS."""

    def frames(self, seed: int) -> Iterator[np.ndarray]:
        """Yields the episode that follows from `seed`, its first and its last state included."""
        episode = self._evaluator.episode(seed, MAX_STEPS)
        for self.steps, state in enumerate(episode):
            self.episode_return = float(state.episode_return[0])
            self.complete = bool(state.time_step.last[0])
            yield self._draw(state)


def make_drawable_env(config: Config) -> Environment:
    """Makes one environment that can be drawn, to be closed."""
    return registry.make_drawable(config.env.model_copy(update={"num_envs": 1}))


def _painter(env: Environment, is_colored: bool) -> Callable[[UnrollState], np.ndarray]:
    """Returns what draws a state: the environment, or the picture that it observes."""
    if isinstance(env, GraphEnvironment) or (isinstance(env, HostEnvironment) and env.renders):
        return lambda state: env.draw(state.env_state)
    if frames.is_picture(env.spec.observation_space):
        return lambda state: frames.newest(state.time_step.observation[0].numpy(), is_colored)
    raise frames.DrawingError(
        f"environment {env.spec.id} cannot be drawn: expected the render mode rgb_array among its "
        f"metadata's render_modes, or pictures of uint8 as observations, not "
        f"{env.spec.observation_space}"
    )
