"""The checks of an environment on the host: one alive at a time, a few episodes, always closed."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Iterator
from contextlib import closing

import gymnasium
from gymnasium.utils.env_checker import check_env

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.checking import episodes, streams
from a2c_tf.envs.checking.findings import Finding, has_error, ok, skipped
from a2c_tf.envs.checking.playing import Extent, Report, Stream, play
from a2c_tf.envs.checking.step_limit import check_step_limit, play_limited
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.envs.host.wrapping import make_by_factory
from a2c_tf.types import Compiler

PLAYED = Extent(1000, episodes=3, seconds=5.0)
REPEATED, REPEATED_SECONDS = 30, 10.0
"""steps that are played again by the same seed, and by another."""
OF_OTHER_LIBRARIES = ("probably too low", "probably too high", "symmetric and normalized")
"""in warnings that do not matter here: observations may be unbounded, actions are scaled."""


def check(config: EnvConfig, compiler: Compiler, report: Report) -> Iterator[Finding]:
    """Yields the findings of an environment on the host.

    Args:
      config: names it.
      compiler: of its calls, which then cost less.
      report: receives progress, where steps are slow.

    Yields:
      The findings.

    Raises:
      CommandError: for what the environment raises.
    """
    config = config.model_copy(update={"num_envs": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gymnasium's, which its check below reports
        stream, same, other = _play_three_times(config, compiler, report)
        limited = play_limited(config, stream, compiler, report)
    found = [
        streams.check_spaces(stream.spec),
        ok("stepping", f"{len(stream.actions)} steps of one environment"),
        streams.check_shapes(stream),
        *streams.check_values(stream),
        episodes.check_seeding(stream, same, other, may_be_same=False),
        episodes.check_autoreset([stream, limited] if limited else [stream]),
        check_step_limit(stream, limited),
    ]
    yield from found
    speed = (len(stream.actions) - 1) / stream.seconds if stream.seconds else 0.0
    yield ok("speed", f"{speed:,.0f} steps a second, one environment, one call a step")
    if stream.spec.backend == "gymnasium":
        yield from (
            [skipped("gymnasium", "its check_env would repeat what is above")]
            if has_error(found)
            else check_by_gymnasium(config)
        )


def _play_three_times(
    config: EnvConfig, compiler: Compiler, report: Report
) -> tuple[Stream, Stream, Stream]:
    """Returns a stream, the start of another by the same seed, and of one by another seed."""
    with closing(registry.make(config)) as env, report_errors(env):
        again = functools.partial(
            play, compiler(env.reset), compiler(env.step), env.spec, report=report
        )
        stream = again(extent=PLAYED)
        extent = Extent(min(REPEATED, len(stream.actions)), seconds=REPEATED_SECONDS)
        same, other = (again(extent=extent, seed=s, actions=stream.actions) for s in (0, 1))
    return stream, same, other


def check_by_gymnasium(config: EnvConfig) -> list[Finding]:
    """Returns what `gymnasium.utils.env_checker.check_env` warns of and raises."""
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with closing(_make_bare(config)) as env:
            try:
                check_env(env.unwrapped, skip_render_check=True, skip_close_check=True)
            except Exception as error:  # an assertion, or the environment's own
                found.append(Finding("error", "gymnasium", "", _plain(error)))
    texts = dict.fromkeys(_plain(warning.message) for warning in caught)
    found += [
        Finding("warning", "gymnasium", "", text)
        for text in texts
        if not any(part in text for part in OF_OTHER_LIBRARIES)
    ]
    return found or [ok("gymnasium", "its check_env finds nothing")]


def _plain(message: object) -> str:
    """Returns a message without colours and line breaks."""
    text = re.sub(r"\x1b\[\d+m", "", str(message)).removeprefix("WARN: ")
    return " ".join(text.split())


def _make_bare(config: EnvConfig) -> gymnasium.Env:
    """Makes the environment without our wrappers, the checker's or the config's."""
    if config.factory:
        return make_by_factory(config.factory, config.kwargs)
    return gymnasium.make(config.id, disable_env_checker=True, **config.kwargs)
