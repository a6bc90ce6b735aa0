"""The checks of a graph-native environment, in the order in which one depends on another."""

from __future__ import annotations

from collections.abc import Iterator

from a2c_tf.config import EnvConfig
from a2c_tf.envs import registry
from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.envs.checking import episodes, graph_native, streams
from a2c_tf.envs.checking.findings import Finding, first_of, has_error, ok, raised, skipped
from a2c_tf.envs.checking.graph_native import Compiled, Compilers
from a2c_tf.envs.checking.playing import Extent, Report, Stream, play
from a2c_tf.envs.checking.step_limit import check_step_limit, play_limited

PLAYED, REPEATED = Extent(200, seconds=30.0), Extent(30)


def check(config: EnvConfig, compilers: Compilers, report: Report) -> Iterator[Finding]:
    """Yields the findings of a graph-native environment.

    Args:
      config: names it.
      compilers: of its calls.
      report: receives progress.

    Yields:
      The findings.
    """
    # one environment of a batch cannot disturb another where there is only one
    config = config.model_copy(update={"num_envs": max(2, config.num_envs)})
    env = registry.make(config)
    assert isinstance(env, GraphEnvironment)
    yield (spaces := streams.check_spaces(env.spec))
    if has_error([spaces]):
        return
    calls = graph_native.compile_calls(env, compilers)
    try:
        stream = play(calls.reset, calls.step, env.spec, PLAYED, report=report)
    except Exception as error:  # of the user's code
        yield raised("stepping", "reset or step", error)
        return
    yield ok("stepping", f"{len(stream.actions)} steps of {env.spec.num_envs} environments")
    yield (tracing := graph_native.check_tracing(stream, calls))
    yield (shapes := streams.check_shapes(stream))
    if has_error([tracing, shapes]):
        return
    yield from streams.check_values(stream)
    yield (purity := graph_native.check_purity(stream, calls))
    yield (
        seeding := skipped("seeding", "needs a pure step")
        if has_error([purity])
        else _check_seeding(env, calls, stream)
    )
    if has_error([purity, seeding]):
        names = ("autoreset", "step limit", "independence", "modes", "speed")
        yield from (skipped(name, "needs streams that can be repeated") for name in names)
    else:
        limited = play_limited(config, stream, compilers.graph, report)
        yield _check_autoreset(calls, stream, limited)
        yield check_step_limit(stream, limited)
        yield graph_native.check_independence(stream, calls)
        yield (modes := graph_native.check_modes(env, stream, calls))
        yield (
            skipped("speed", "needs a step that XLA compiles")
            if has_error([modes])
            else graph_native.check_speed(stream, calls)
        )
    yield graph_native.check_drawing(env, stream)


def _check_seeding(env: GraphEnvironment, calls: Compiled, stream: Stream) -> Finding:
    same, other = (
        play(calls.reset, calls.step, env.spec, REPEATED, seed=seed, actions=stream.actions)
        for seed in (0, 1)
    )
    is_random = env.reset_noise_size or env.step_noise_size
    return episodes.check_seeding(stream, same, other, may_be_same=not is_random)


def _check_autoreset(calls: Compiled, stream: Stream, limited: Stream | None) -> Finding:
    found = [
        graph_native.check_reset_ignores_action(stream, calls),
        episodes.check_autoreset([stream, limited] if limited else [stream]),
    ]
    return first_of(found, ok("autoreset", ""))
