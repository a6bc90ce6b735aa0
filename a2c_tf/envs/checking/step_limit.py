"""The environment with a step limit of a few steps, so that episodes end."""

from __future__ import annotations

from contextlib import closing

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.checking import episodes
from a2c_tf.envs.checking.findings import Finding
from a2c_tf.envs.checking.playing import Extent, Report, Stream, play
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.errors import ConfigError
from a2c_tf.types import Compiler

LIMIT = 5
"""steps of an episode."""
TWO_EPISODES = 2 * LIMIT + 2


def play_limited(
    config: EnvConfig, stream: Stream, compiler: Compiler, report: Report
) -> Stream | None:
    """Makes the environment with the limit, and plays the first actions of a stream again.

    Args:
      config: of the environment.
      stream: without the limit.
      compiler: of reset and step.
      report: receives progress.

    Returns:
      The stream with the limit; None where the environment has no such setting.
    """
    try:
        env = registry.make(config.model_copy(update={"max_episode_steps": LIMIT}))
    except ConfigError:
        return None
    extent = Extent(min(TWO_EPISODES, len(stream.actions)))
    reset, step = compiler(env.reset), compiler(env.step)
    with closing(env), report_errors(env):
        return play(reset, step, env.spec, extent, actions=stream.actions, report=report)


def check_step_limit(stream: Stream, limited: Stream | None) -> Finding:
    """Checks what `play_limited` returned."""
    if limited:
        return episodes.check_step_limit(stream, limited, LIMIT)
    to_do = "accept max_episode_steps, and pass it on to super().__init__"
    return Finding("warning", "step limit", "", "env.max_episode_steps cannot be set", to_do)
