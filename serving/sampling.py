"""Samples of actions from a policy's outputs, by the `action_distribution` of its manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from serving.errors import InvalidInputError
from serving.tensors import Array, TensorSpec

Outputs = Mapping[str, Array]
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Categorical(msgspec.Struct, frozen=True, tag_field="type", tag="categorical"):
    """Returns start + a choice by softmax(logits); `[batch]`."""

    start: int


class MultiCategorical(msgspec.Struct, frozen=True, tag_field="type", tag="multi_categorical"):
    """A choice for each component, their logits one after the other; `[batch, *shape]`."""

    nvec: list[Positive]
    start: list[int]
    shape: list[int]


class Bernoulli(msgspec.Struct, frozen=True, tag_field="type", tag="bernoulli"):
    """Bits, 1 with probability sigmoid(logit); `[batch, *shape]`."""

    shape: list[int]


class Gaussian(msgspec.Struct, frozen=True, tag_field="type", tag="gaussian"):
    """x = mean + exp(log_std)·n, clipped to [low, high], null: unbounded; `[batch, *shape]`."""

    low: list[float | None]
    high: list[float | None]
    shape: list[int]


class TanhGaussian(msgspec.Struct, frozen=True, tag_field="type", tag="tanh_gaussian"):
    """a = low + (high - low)·(tanh(mean + exp(log_std)·n) + 1)/2; `[batch, *shape]`."""

    low: list[float]
    high: list[float]
    shape: list[int]


Discrete = Categorical | MultiCategorical | Bernoulli
Continuous = Gaussian | TanhGaussian
ActionDistribution = Discrete | Continuous


class Choices(NamedTuple):
    """The K components of a discrete action, each start + an index of its scores."""

    scores: list[NDArray[np.float32]]
    """K of `[N, n]`; the indices have probabilities softmax(scores)."""
    start: NDArray[np.int64]
    """`[K]`."""


def choices_of(distribution: Discrete, logits: NDArray[np.float32]) -> Choices:
    """Returns the choices that `logits` `[N, L]` stand for."""
    match distribution:
        case Categorical(start=start):
            return Choices([logits], np.array([start]))
        case MultiCategorical(nvec=nvec, start=starts):
            return Choices(np.split(logits, np.cumsum(nvec)[:-1], axis=1), np.array(starts))
        case Bernoulli():
            pairs = np.stack([np.zeros_like(logits), logits], axis=-1)  # [N, K, 2]
            return Choices(list(pairs.swapaxes(0, 1)), np.zeros(logits.shape[1], np.int64))


def fits(distribution: ActionDistribution, outputs: Mapping[str, TensorSpec]) -> bool:
    """Returns whether `outputs` are those of a policy that acts by `distribution`."""
    action, is_continuous = outputs["action"], isinstance(distribution, Continuous)
    parameters = "mean" if is_continuous else "logits"
    if parameters not in outputs or is_continuous != np.issubdtype(action.dtype, np.floating):
        return False
    (width,) = outputs[parameters].row_shape
    shape = () if isinstance(distribution, Categorical) else tuple(distribution.shape)
    components = math.prod(shape)
    match distribution:
        case Categorical():
            is_sized = True
        case MultiCategorical(nvec=nvec, start=start):
            is_sized = sum(nvec) == width and len(nvec) == len(start) == components
        case Bernoulli():
            is_sized = width == components
        case Gaussian(low=low, high=high) | TanhGaussian(low=low, high=high):
            is_sized = len(low) == len(high) == width == components
    return is_sized and action.row_shape == shape


def plain_categorical(outputs: Outputs) -> Categorical | None:
    """Returns the distribution of a policy without a manifest: numbered from 0, None if unknown."""
    if "logits" in outputs and np.array_equal(outputs["action"], outputs["logits"].argmax(axis=-1)):
        return Categorical(start=0)
    return None


def sample(
    distribution: ActionDistribution, outputs: Outputs, seed: int | np.random.Generator | None
) -> Array:
    """Samples actions.

    Args:
      distribution: of the policy that computed `outputs`.
      outputs: `action`, and `logits` `[N, L]`, or `mean` and `log_std` `[N, K]`.
      seed: the same one samples the same actions; a generator is drawn from; None takes fresh
        entropy.

    Returns:
      Actions in dtype and shape of the greedy ones.

    Raises:
      InvalidInputError: where an unbounded action is larger than its dtype can hold.
    """
    rng, greedy = np.random.default_rng(seed), outputs["action"]
    if isinstance(distribution, Continuous):
        values: Array = _sample_gaussian(distribution, outputs["mean"], outputs["log_std"], rng)
    else:
        values = _sample_choices(choices_of(distribution, outputs["logits"]), rng)
    with np.errstate(over="ignore"):
        action = values.reshape(greedy.shape).astype(greedy.dtype)  # [N, *shape]
    if not np.isfinite(action).all():
        raise InvalidInputError(
            "the policy's deviation is too large to sample a finite action; "
            "expected inputs as large as in training"
        )
    return action


def _sample_choices(choices: Choices, rng: np.random.Generator) -> NDArray[np.int64]:
    """`[N, K]` by the Gumbel-max trick: argmax(scores + noise) follows softmax(scores)."""
    indices = [
        np.argmax(scores + rng.gumbel(size=scores.shape), axis=-1) for scores in choices.scores
    ]
    return np.stack(indices, axis=-1) + choices.start  # [N, K]


def _sample_gaussian(
    distribution: Continuous, mean: Array, log_std: Array, rng: np.random.Generator
) -> NDArray[np.float64]:
    """`[N, K]` in the environment's own units."""
    low, high = _bounds(distribution)
    with np.errstate(over="ignore"):
        values = mean + np.exp(log_std.astype(np.float64)) * rng.standard_normal(mean.shape)
    if isinstance(distribution, TanhGaussian):
        values = low + (high - low) * (np.tanh(values) + 1) / 2
    return np.clip(values, low, high)


def _bounds(distribution: Continuous) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low = [-np.inf if bound is None else bound for bound in distribution.low]
    high = [np.inf if bound is None else bound for bound in distribution.high]
    return np.array(low), np.array(high)
