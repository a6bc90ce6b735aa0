"""The gate that an export must pass: files and network say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import gymnasium
import numpy as np

from a2c_tf.builders import Agent, make_seeds
from a2c_tf.config import Config
from a2c_tf.envs import registry
from a2c_tf.unroll import initial_state, make_advance, unroll
from export.formats import Outputs, Runner

BATCHES = (1, 2, 7, 64)
TOLERANCE = 1e-5
"""of logits and value, relative to the larger of 1 and the number itself: float32 has 7 digits."""
CLEAR_GAP = 1e-4
"""where the two best logits are closer, either may win."""
REAL_ENVS, REAL_STEPS = 32, 31
RANDOM_OBSERVATIONS = 256


class ParityError(Exception):
    """The exported files do not act as the agent; nothing was published."""


class Parity(NamedTuple):
    """What was compared, and how far apart the answers were at most."""

    observations: int
    batches: tuple[int, ...]
    max_difference: dict[str, float]
    """by file, over logits and value."""


def check(reference: Runner, files: Mapping[str, Runner], observations: np.ndarray) -> Parity:
    """Compares every file with the reference, over all observations in every batch size.

    Args:
      reference: the network itself.
      files: by name, each as a function.
      observations: `[N, *obs]`.

    Raises:
      ParityError: where an answer differs by more than the tolerance, or a clear action differs.
    """
    worst = dict.fromkeys(files, 0.0)
    for batch in _batches(observations):
        expected = reference(batch)
        for name, run in files.items():
            worst[name] = max(worst[name], _compare(name, expected, run(batch)))
    return Parity(len(observations), BATCHES, worst)


def collect_observations(agent: Agent, config: Config) -> np.ndarray:
    """Observations that the agent meets, random ones of its space, and the space's bounds."""
    env = registry.make(config.env.model_copy(update={"num_envs": REAL_ENVS}))
    seeds = make_seeds(config.run.seed, 2)
    state = initial_state(env, seeds.env, seeds.action)
    advance = make_advance(env, agent.distribution)
    _, trajectory, _ = unroll(advance, agent.policy, state, REAL_STEPS)
    real = trajectory.observation.numpy()
    real = real.reshape(-1, *real.shape[2:])
    return np.concatenate([real, _invented(agent.spec.observation_space)])


def _invented(space: gymnasium.Space) -> np.ndarray:
    space.seed(0)
    random = [space.sample() for _ in range(RANDOM_OBSERVATIONS)]
    bounds = [np.zeros_like(random[0])]
    if isinstance(space, gymnasium.spaces.Box):
        bounds += [bound for bound in (space.low, space.high) if np.isfinite(bound).all()]
    return np.stack([*random, *bounds]).astype(random[0].dtype)


def _batches(observations: np.ndarray) -> Iterator[np.ndarray]:
    for size in BATCHES:
        for start in range(0, len(observations), size):
            yield observations[start : start + size]


def _compare(name: str, expected: Outputs, received: Outputs) -> float:
    """The largest difference of logits and value."""
    largest = 0.0
    for output in ("logits", "value"):
        scale = np.maximum(1.0, np.abs(expected[output]))
        difference = float(np.max(np.abs(expected[output] - received[output]) / scale))
        if not difference <= TOLERANCE:
            raise ParityError(
                f"export refused: {output} of {name} differs from the network's by "
                f"{difference:.2e}, expected {TOLERANCE:.0e} at most; nothing was written"
            )
        largest = max(largest, difference)
    best = np.sort(expected["logits"], axis=-1)
    clear = best[:, -1] - best[:, -2] > CLEAR_GAP
    if np.any((expected["action"] != received["action"]) & clear):
        raise ParityError(f"export refused: {name} acts differently; nothing was written")
    return largest
