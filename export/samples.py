"""What the gate compares on: inputs that the agent met, and invented ones."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import gymnasium
import numpy as np
import tensorflow as tf

from a2c_tf import spaces
from a2c_tf.agent import Agent, SeedPurpose, make_seeds
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.envs.host.failures import report_errors
from a2c_tf.networks import forward
from a2c_tf.types import ObservedSteps
from a2c_tf.unroll import make_action_choice, make_actor_step
from export.inference import MASK, RESET, STATE_IN, Inference, Inputs

REAL_ENVS, REAL_STEPS = 32, 31
INVENTED = 256
LARGEST_BOUND = 1e6
"""a bound beyond it is that of the dtype: numbers of its size overflow a network."""


class Samples(NamedTuple):
    """Inputs by name, each array `[N, ...]`."""

    real: Inputs
    """met by the agent."""
    random: Inputs
    """of its spaces, and the bounds of those; every action is allowed."""


def collect_samples(
    agent: Agent, inference: Inference, config: Config, observed: ObservedSteps | None = None
) -> Samples:
    """Collects inputs of both kinds for the exported function.

    Args:
      agent: which meets the real ones.
      inference: the exported function.
      config: of the agent's run.
      observed: what its environments observed; None: it plays a little for the real inputs.

    Returns:
      Inputs by name, each array `[N, ...]`.
    """
    steps = _met(agent, config) if observed is None else _seen(agent, observed)
    met = [np.concatenate(arrays) for arrays in zip(*steps, strict=True)]
    names = [spec.name for spec in inference.signature]
    return Samples(dict(zip(names, met, strict=True)), invented(agent, inference))


def count_of(inputs: Inputs) -> int:
    """Returns the number of rows that the arrays have."""
    return len(next(iter(inputs.values())))


def rows_of(inputs: Inputs, rows: slice) -> Inputs:
    """Returns those rows of each array."""
    return {name: array[rows] for name, array in inputs.items()}


def _met(agent: Agent, config: Config) -> Iterator[list[np.ndarray]]:
    """Yields the inputs of each step of a few played, in the order of the signature."""
    in_graph = registry.backend_of(config.env) == "graph"
    num_envs = REAL_ENVS if in_graph else min(REAL_ENVS, config.env.num_envs)
    env = registry.make(config.env.model_copy(update={"num_envs": num_envs}))
    with contextlib.closing(env), report_errors(env):
        state = agent.start(env, make_seeds(config.run.seed, SeedPurpose.EXPORT))
        choose_action = make_action_choice(agent.distribution, num_envs)
        actor_step = make_actor_step(env, agent.distribution, choose_action)
        starts = np.ones(num_envs, bool)
        for _ in range(REAL_STEPS + 1):
            step = state.time_step
            tensors = spaces.arrays(agent.spec.observation_space, step.observation)
            # absent ones are `()`, which has no leaves
            others = tf.nest.flatten((step.action_mask, state.core_state))
            arrays = [x.numpy() for x in [*tensors, *others]]
            yield [*arrays, starts] if agent.is_recurrent else arrays
            starts = step.last.numpy()
            output = agent.policy(step.observation, state.core_state)
            state, _ = actor_step(state, output)


def _seen(agent: Agent, observed: ObservedSteps) -> Iterator[list[np.ndarray]]:
    """Yields the inputs of each observed step, with what the network remembers of those before."""
    count, num_envs = observed.last.shape
    stride = math.ceil(count * num_envs / (REAL_ENVS * (REAL_STEPS + 1)))
    core_state = forward.initial_core_state(agent.model, num_envs)
    starts = np.ones(num_envs, bool)
    for n in range(0, count, stride):
        arrays = [array[n] for array in observed.arrays]
        masks = [] if observed.action_mask is None else [observed.action_mask[n]]
        if not agent.is_recurrent:
            yield [*arrays, *masks]
            continue
        yield [*arrays, *masks, np.asarray(core_state), starts]
        observation = spaces.pack(agent.spec.observation_space, [tf.constant(x) for x in arrays])
        goes_on = tf.cast(~observed.last[n], tf.float32)[:, tf.newaxis]
        core_state = agent.policy(observation, core_state).core_state * goes_on
        starts = observed.last[n]


def invented(agent: Agent, inference: Inference) -> Inputs:
    """Returns inputs of the agent's spaces, and the bounds of those, by name."""
    parts = spaces.parts(agent.spec.observation_space)
    inputs = {name: _of_space(space) for name, space in parts.items()}
    count = max(len(array) for array in inputs.values())
    # spaces without bounds have fewer rows
    inputs = {name: np.resize(array, (count, *array.shape[1:])) for name, array in inputs.items()}
    rng = np.random.default_rng(0)
    for spec in inference.signature[len(parts) :]:
        shape = (count, *spec.shape[1:])
        others = {
            MASK: np.ones(shape, bool),
            STATE_IN: rng.standard_normal(shape, np.float32),
            RESET: rng.random(shape) < 0.5,
        }
        inputs[spec.name] = others[spec.name]
    return inputs


def _of_space(space: gymnasium.Space) -> np.ndarray:
    """Random points of the space, and of a Box zero and its bounds, where it has them."""
    bounds: list[np.ndarray] = []
    if isinstance(space, gymnasium.spaces.Box):
        space = _bounded(space)
        ends = ((space.low, space.bounded_below), (space.high, space.bounded_above))
        bounds = [np.zeros(space.shape), *(end for end, is_bound in ends if is_bound.all())]
    space.seed(0)
    random = [space.sample() for _ in range(INVENTED)]
    return np.stack([*random, *bounds]).astype(space.dtype)


def _bounded(box: gymnasium.spaces.Box) -> gymnasium.spaces.Box:
    """Returns the box without its largest bounds, so that it samples there as if it had none."""
    box = copy.deepcopy(box)
    box.bounded_below &= box.low >= -LARGEST_BOUND
    box.bounded_above &= box.high <= LARGEST_BOUND
    return box
