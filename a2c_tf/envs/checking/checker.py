"""All checks of one environment, in the order in which one depends on another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import gymnasium

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.envs.checking import episodes, graph_native, host, streams
from a2c_tf.envs.checking.findings import Finding, first_of, line_of, ok, raised, skipped
from a2c_tf.envs.checking.graph_native import Compiled, Compilers
from a2c_tf.envs.checking.playing import Extent, Report, Stream, play
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.errors import CommandError, ConfigError, NonFiniteError

IN_GRAPH, ON_HOST = Extent(200, seconds=30.0), Extent(1000, episodes=3, seconds=5.0)
LIMIT = 5
"""steps of the episodes by which the step limit is checked."""
REPEATED = 30
"""steps that are played again by the same seed, and by another."""
Findings = Iterator[Finding]


def check(config: EnvConfig, compilers: Compilers, report: Report) -> Findings:
    """Yields the findings of each check of the environment that `config` names.

    On the host one environment is alive at a time.

    Args:
      config: names it.
      compilers: of graph-native environments.
      report: receives progress.

    Yields:
      The findings.

    Raises:
      ConfigError: where the environment is not there, or lacks a setting.
    """
    in_graph = registry.backend_of(config) == "graph"
    # one environment of a batch cannot disturb another where there is only one
    num_envs = max(2, config.num_envs) if in_graph else 1
    config = config.model_copy(update={"num_envs": num_envs})
    try:
        yield from (
            _check_in_graph(config, compilers) if in_graph else _check_on_host(config, report)
        )
    except CommandError as error:
        cause = error.__cause__
        if isinstance(error, ConfigError) and isinstance(
            cause, gymnasium.error.Error | ImportError | None
        ):
            raise
        yield _failed(config, error)


def _failed(config: EnvConfig, error: CommandError) -> Finding:
    """Returns the finding of an environment that could not be made or stepped."""
    check = "stepping"
    if isinstance(error, ConfigError):
        check = "making"
    elif isinstance(error, NonFiniteError):
        check = "finite"
    text = str(error).removeprefix(f"env.id={config.id}: ").partition("; fix this, then resume")[0]
    text = text.removeprefix(f"environment {config.id}: ")
    where = line_of(error.__cause__) if error.__cause__ else ""
    return Finding("error", check, where, text)


def _check_in_graph(config: EnvConfig, compilers: Compilers) -> Findings:
    env = registry.make(config)
    assert isinstance(env, GraphEnvironment)
    spaces = streams.check_spaces(env.spec)
    yield spaces
    if spaces.level == "error":
        return
    calls = graph_native.compile_calls(env, compilers)
    try:
        stream = play(calls.reset, calls.step, env.spec, IN_GRAPH)
    except Exception as error:  # of the user's code
        yield raised("stepping", "reset or step", error)
        return
    yield ok("stepping", f"{len(stream.actions)} steps of {env.spec.num_envs} environments")
    yield graph_native.check_tracing(stream, calls)
    shapes = streams.check_shapes(stream)
    yield shapes
    if shapes.level == "error":
        return
    yield from _check_values(stream)
    purity = graph_native.check_purity(stream, calls)
    yield purity
    if purity.level == "ok":
        yield from _check_pure(env, config, compilers, calls, stream)
    else:
        names = ("seeding", "autoreset", "step limit", "independence", "modes")
        yield from (skipped(name, "first make it pure") for name in names)
    yield graph_native.check_drawing(env, stream)


def _check_pure(
    env: GraphEnvironment,
    config: EnvConfig,
    compilers: Compilers,
    calls: Compiled,
    stream: Stream,
) -> Findings:
    """Yields what is found of an environment whose streams can be repeated."""
    extent = Extent(REPEATED)
    same, other = (
        play(calls.reset, calls.step, env.spec, extent, seed=seed, actions=stream.actions)
        for seed in (0, 1)
    )
    nothing_random = env.reset_noise_size == env.step_noise_size == 0
    yield episodes.check_seeding(stream, same, other, nothing_random)
    limited = _limited(config, stream, compilers)
    found = graph_native.check_reset_ignores_action(limited or stream, calls)
    yield first_of([found], episodes.check_autoreset([stream, *([limited] if limited else [])]))
    yield _step_limit(stream, limited)
    yield graph_native.check_independence(stream, calls)
    modes = graph_native.check_modes(env, stream, calls)
    yield modes
    if modes.level == "ok":
        yield graph_native.check_speed(stream, calls)


def _check_on_host(config: EnvConfig, report: Report) -> Findings:
    with closing(registry.make(config)) as env, report_errors(env):
        yield streams.check_spaces(env.spec)
        stream = play(env.reset, env.step, env.spec, ON_HOST, report=report)
        extent = Extent(min(REPEATED, len(stream.actions)), seconds=10.0)
        same, other = (
            play(
                env.reset,
                env.step,
                env.spec,
                extent,
                seed=seed,
                actions=stream.actions,
                report=report,
            )
            for seed in (0, 1)
        )
        backend = env.spec.backend
    yield ok("stepping", f"{len(stream.actions)} steps of one environment")
    yield streams.check_shapes(stream)
    yield from _check_values(stream)
    seeding = episodes.check_seeding(stream, same, other, may_be_same=False)
    yield seeding
    limited = _limited(config, stream, None, report)
    yield episodes.check_autoreset([stream, *([limited] if limited else [])])
    yield _step_limit(stream, limited)
    speed = len(stream.actions) / stream.seconds
    yield ok("speed", f"{speed:,.0f} steps a second, one environment, one call a step")
    if backend == "gymnasium":
        yield from host.check_by_gymnasium(config.id)


def _check_values(stream: Stream) -> Findings:
    yield streams.check_bounds(stream)
    yield streams.check_finite(stream)
    yield streams.check_masks(stream)


def _limited(
    config: EnvConfig,
    stream: Stream,
    compilers: Compilers | None,
    report: Report = lambda text: None,
) -> Stream | None:
    """Returns the stream with a step limit, by the same actions; None where it has no such setting.

    Args:
      config: of the environment.
      stream: without the limit.
      compilers: of a graph-native environment; None: it is on the host.
      report: receives progress.

    Returns:
      The stream.
    """
    try:
        env = registry.make(config.model_copy(update={"max_episode_steps": LIMIT}))
    except ConfigError:
        return None
    extent = Extent(min(2 * LIMIT + 2, len(stream.actions)), seconds=20.0)
    reset, step = env.reset, env.step
    if compilers:
        reset, step = compilers.graph(reset), compilers.graph(step)
    with closing(env), report_errors(env):
        return play(reset, step, env.spec, extent, actions=stream.actions, report=report)


def _step_limit(stream: Stream, limited: Stream | None) -> Finding:
    if limited:
        return episodes.check_step_limit(stream, limited, LIMIT)
    to_do = "accept max_episode_steps, and pass it on to super().__init__"
    return Finding("warning", "step limit", "", "env.max_episode_steps cannot be set", to_do)
