"""Checks of graph-native environments: one outcome, by whatever computes it, and traced once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from a2c_tf.envs.base import GraphEnvironment
from a2c_tf.envs.checking.episodes import first_difference
from a2c_tf.envs.checking.findings import Finding, error, ok, place, raised
from a2c_tf.envs.checking.playing import Extent, Stream, as_numpy, play
from a2c_tf.types import Compiler, TimeStep

TOLERANCE = 1e-4
"""of one step from equal states, relative above 1: sin, cos and fused products round differently,
by a few of the last bits. Whole numbers and booleans are equal."""
COMPARED, TIMED = 12, 2000
"""steps that are compared, and timed."""


class Compilers(NamedTuple):
    """How functions are compiled, which layers above the environments decide."""

    graph: Compiler
    xla: Compiler


class Compiled(NamedTuple):
    """The calls of one environment, compiled."""

    reset: Any
    step: Any
    steps: Any
    """(state, time step, action, count) -> the same after so many steps, one XLA program."""
    traces: list[Any]
    """the states that the step was traced with, so far."""


def compile_calls(env: GraphEnvironment, compilers: Compilers) -> Compiled:
    """Returns the environment's calls as graphs, and its step in a loop by XLA."""
    traces = []

    def step(state: Any, action: tf.Tensor) -> tuple[Any, TimeStep]:
        traces.append(state)
        return env.step(state, action)

    def steps(state: Any, time_step: TimeStep, action: tf.Tensor, count: tf.Tensor) -> Any:
        def body(i: tf.Tensor, state: Any, _: TimeStep) -> tuple[tf.Tensor, Any, TimeStep]:
            return (i + 1, *env.step(state, action))

        loop = (tf.constant(0), state, time_step)
        return tf.while_loop(lambda i, *_: i < count, body, loop)[1:]

    graph, xla = compilers
    return Compiled(graph(env.reset), graph(step), xla(steps), traces)


def check_purity(stream: Stream, calls: Compiled) -> Finding:
    """Checks that a state and an action have one outcome, whenever they are asked for it."""
    for t in _some(stream):
        state, action = stream.states[t], tf.constant(stream.actions[t])
        _, again = calls.step(state, action)
        if where := first_difference([stream.rows[t + 1]], [as_numpy(again)]):
            return error(
                "purity",
                where.replace("step 0", f"step {t + 1}"),
                "another value from the same state and action",
                "keep all that changes in the state, and take all that is random from noise",
            )
    return ok("purity", "a state and an action have one outcome")


def check_reset_ignores_action(stream: Stream, calls: Compiled) -> Finding | None:
    """Checks that the step after an episode's last one has one outcome for all actions."""
    for t, row in enumerate(stream.rows[:-1]):
        if not np.any(row.last):
            continue
        others = tf.constant(np.roll(stream.actions[t], 1, axis=0))
        _, other = calls.step(stream.states[t], others)
        for i in np.flatnonzero(row.last):
            only = slice(int(i), int(i) + 1)
            if first_difference([stream.rows[t + 1]], [as_numpy(other)], only):
                return error(
                    "autoreset",
                    place(int(i), t + 1),
                    "the step that starts an episode depends on the action",
                    "leave step as GraphEnvironment has it",
                )
    return None


def check_independence(stream: Stream, calls: Compiled) -> Finding:
    """Checks that what one environment does changes nothing in the others of the batch."""
    actions = [action.copy() for action in stream.actions]
    for t, action in enumerate(actions):
        action[0] = stream.actions[t - 1][-1]
    spec = stream.spec
    changed = play(calls.reset, calls.step, spec, Extent(len(actions)), actions=actions)
    if where := first_difference(stream.rows, changed.rows, slice(1, None)):
        return error(
            "independence",
            where,
            "depends on the actions of sub-environment 0",
            "reduce over a game's own axes, never over the batch, which is a state's last axis",
        )
    return ok("independence", f"{spec.num_envs} environments do not touch each other")


def check_modes(env: GraphEnvironment, stream: Stream, calls: Compiled) -> Finding:
    """Checks that eager steps and XLA's are those of the graph, each from the graph's states.

    Args:
      env: whose eager steps are compared.
      stream: by the graph.
      calls: of the same environment, for XLA's steps.

    Returns:
      The finding.
    """
    seed, one = tf.constant([0, 0], tf.int32), tf.constant(1)
    _, first = env.reset(seed)
    if where := _apart(as_numpy(first), stream.rows[0]):
        return _differs("eager", where, 0)
    for t in _some(stream):
        state, action = stream.states[t], tf.constant(stream.actions[t])
        before = tf.nest.map_structure(tf.constant, stream.rows[t])
        try:
            outcomes = {
                "eager": env.step(state, action)[1],
                "XLA": calls.steps(state, before, action, one)[1],
            }
        except Exception as failure:  # of the user's code, or XLA's
            return raised("modes", "a step that is eager, or compiled by XLA,", failure)
        for mode, outcome in outcomes.items():
            if where := _apart(as_numpy(outcome), stream.rows[t + 1]):
                return _differs(mode, where, t + 1)
    return ok("modes", f"eager = graph = XLA, {TOLERANCE:g} for the rounding of floats")


def check_tracing(stream: Stream, calls: Compiled) -> Finding:
    """Checks that all steps took one trace."""
    taken, traces = len(stream.actions), calls.traces
    if len(traces) == 1:
        return ok("tracing", f"traced once in {taken} steps")
    leaves = zip(*(tf.nest.flatten(trace) for trace in traces[:2]), strict=False)
    differing = [f"{_kind(a)}, then {_kind(b)}" for a, b in leaves if _kind(a) != _kind(b)]
    causes = "; ".join(differing) or "its structure changes"
    return error(
        "tracing",
        "state",
        f"{taken} steps took {len(traces)} traces: {causes}",
        "return tensors of the same shapes and dtypes from initial and transition",
    )


def check_drawing(env: GraphEnvironment, stream: Stream) -> Finding:
    """Checks that `draw` returns an RGB picture."""
    try:
        frame = env.draw(stream.states[-1])
    except NotImplementedError:
        to_do = "define draw(self, state), of which a2c_tf/envs/catch.py is a short example"
        return Finding("warning", "drawing", "", "has no picture, so no video can be made", to_do)
    except Exception as failure:  # of the user's code
        return raised("drawing", "draw", failure)
    array = np.asarray(frame)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        found = f"is {array.dtype} of shape {list(array.shape)}"
        return error("drawing", "draw", found, "return uint8 [height, width, 3]")
    return ok("drawing", f"a picture of {array.shape[1]} x {array.shape[0]} pixels")


def check_speed(stream: Stream, calls: Compiled) -> Finding:
    """Measures the steps a second of one XLA program."""
    state, action = stream.states[0], tf.constant(stream.actions[0])
    time_step = tf.nest.map_structure(tf.constant, stream.rows[0])
    started = time.perf_counter()
    _, last = calls.steps(state, time_step, action, tf.constant(TIMED))
    np.asarray(last.reward)
    speed = TIMED * stream.spec.num_envs / (time.perf_counter() - started)
    return ok("speed", f"{speed:,.0f} steps a second by XLA, {stream.spec.num_envs} environments")


def _some(stream: Stream) -> Iterator[int]:
    """Returns steps spread over the stream, and those after its first ends."""
    total = len(stream.actions)
    ends = [t for t, row in enumerate(stream.rows[:-1]) if np.any(row.last)]
    spread = range(0, total, max(1, total // COMPARED))
    return iter(sorted({*ends[:3], *spread}))


def _apart(one: TimeStep, other: TimeStep) -> str:
    """Returns where time steps differ by more than rounding; empty where they do not."""
    rounded = tf.nest.map_structure(_close_to, one, other)
    return first_difference([rounded], [other])


def _close_to(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns `one`, with the other's numbers where the difference is rounding."""
    if one.dtype.kind != "f" or one.shape != other.shape:
        return one
    return np.where(np.isclose(one, other, TOLERANCE, TOLERANCE), other, one)


def _differs(mode: str, where: str, t: int) -> Finding:
    return error(
        "modes",
        where.replace("step 0", f"step {t}"),
        f"{mode} and graph differ",
        "compute with TensorFlow's operations alone: Python and numpy run once, when it is traced",
    )


def _kind(leaf: Any) -> str:
    if not isinstance(leaf, tf.Tensor):
        return type(leaf).__name__
    return f"{leaf.dtype.name} {leaf.shape}"
