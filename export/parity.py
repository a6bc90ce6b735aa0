"""The gate that an export must pass: files and network say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import gymnasium
import numpy as np

from a2c_tf.builders import Agent, make_seeds
from a2c_tf.command_line import CommandError
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.unroll import initial_state, make_advance, unroll
from export.formats import Outputs, Runner

BATCHES = (1, 2, 7, 64)
TOLERANCE = 1e-5
"""of logits and value: a difference relative to the larger of 1 and the number itself."""
CLEAR_GAP = 1e-4
"""where the two best logits are closer, either may win."""
REAL_ENVS, REAL_STEPS = 32, 31
RANDOM_OBSERVATIONS = 256


class ParityError(CommandError):
    """The exported files do not act as the agent; nothing was published."""


class Observations(NamedTuple):
    """What the gate compares on, each `[N, *obs]`."""

    real: np.ndarray
    """met by the agent."""
    random: np.ndarray
    """of its space, and the space's bounds. A trained network may answer them with logits in the
    hundreds that nearly cancel, and float32 has 7 digits: here differences are relative to the
    largest number that any of them gets."""


class Parity(NamedTuple):
    """How many observations were compared, and how far apart the answers were at most."""

    observations: int
    batches: tuple[int, ...]
    max_difference: dict[str, float]
    """by file, relative as the tolerance is, over logits and value."""


def check(reference: Runner, files: Mapping[str, Runner], observations: Observations) -> Parity:
    """Compares every file with the reference, over all observations in every batch size.

    Args:
      reference: the network itself.
      files: by name, each as a function.
      observations: real and random ones.

    Raises:
      ParityError: where an answer differs by more than the tolerance, or a clear action differs.
    """
    worst = dict.fromkeys(files, 0.0)
    for kind, rows in observations._asdict().items():
        scales = _scales(reference(rows), by_number=kind == "real")
        for batch in _batches(len(rows)):
            expected = reference(rows[batch])
            scale = {name: numbers[batch] for name, numbers in scales.items()}
            for name, run in files.items():
                difference = _compare(f"{name} on {kind}", expected, run(rows[batch]), scale)
                worst[name] = max(worst[name], difference)
    return Parity(sum(map(len, observations)), BATCHES, worst)


def collect_observations(agent: Agent, config: Config) -> Observations:
    """Observations that the agent meets, and invented ones."""
    env = registry.make(config.env.model_copy(update={"num_envs": REAL_ENVS}))
    seeds = make_seeds(config.run.seed, 2)
    state = initial_state(env, seeds.env, seeds.action)
    advance = make_advance(env, agent.distribution)
    _, trajectory, _ = unroll(advance, agent.policy, state, REAL_STEPS)
    real = trajectory.observation.numpy()
    return Observations(real.reshape(-1, *real.shape[2:]), _invented(agent.spec.observation_space))


def _invented(space: gymnasium.Space) -> np.ndarray:
    space.seed(0)
    random = [space.sample() for _ in range(RANDOM_OBSERVATIONS)]
    bounds = [np.zeros_like(random[0])]
    if isinstance(space, gymnasium.spaces.Box):
        bounds += [bound for bound in (space.low, space.high) if np.isfinite(bound).all()]
    return np.stack([*random, *bounds]).astype(random[0].dtype)


def _scales(expected: Outputs, by_number: bool) -> Outputs:
    """What a difference is relative to: each number's own size, or that of the largest."""
    sizes = {name: np.abs(expected[name]) for name in ("logits", "value")}
    return {
        name: np.maximum(1.0, size if by_number else np.full_like(size, size.max()))
        for name, size in sizes.items()
    }


def _batches(count: int) -> Iterator[slice]:
    for size in BATCHES:
        for start in range(0, count, size):
            yield slice(start, start + size)


def _compare(where: str, expected: Outputs, received: Outputs, scale: Outputs) -> float:
    """The largest relative difference of logits and value."""
    largest = 0.0
    for name, sizes in scale.items():
        difference = float(np.max(np.abs(expected[name] - received[name]) / sizes))
        if not difference <= TOLERANCE:
            raise ParityError(
                f"export refused: {name} of {where} observations differs from the network's by "
                f"{difference:.2e}, expected {TOLERANCE:.0e} at most; nothing was written"
            )
        largest = max(largest, difference)
    best = np.sort(expected["logits"], axis=-1)
    # two logits that are each off by the tolerance may change places
    blurred = np.maximum(CLEAR_GAP, 2 * TOLERANCE * scale["logits"].max(axis=-1))
    clear = best[:, -1] - best[:, -2] > blurred
    if np.any((expected["action"] != received["action"]) & clear):
        raise ParityError(
            f"export refused: {where} observations acts differently; nothing was written"
        )
    return largest
