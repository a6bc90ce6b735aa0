"""A small policy of every kind that export writes, computed in NumPy."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

STATE_SIZE = 3
FORBIDDEN, FORCED = np.float32(-1e9), np.float32(1e9)

Arrays = dict[str, np.ndarray]
Row = tuple[str, tuple[int, ...]]
"""dtype and shape of one row."""


class Kind(NamedTuple):
    """Holds what distinguishes a policy: its parameters are [features, state] W."""

    observations: dict[str, Row]
    distribution: dict[str, Any]
    """as its manifest says."""
    parameter_count: int
    """logits, or components of a mean."""
    action_dtype: str = "int64"
    is_masked: bool = False
    is_recurrent: bool = False


KINDS = {
    "bernoulli": Kind(
        {"observation": ("int8", (2, 2))}, {"type": "bernoulli", "shape": [3]}, 3, "int8"
    ),
    "dict": Kind(
        {
            "observation_goal": ("int64", ()),
            "observation_it's": ("float32", (2,)),
            "observation_camera": ("uint8", (3, 3, 2)),
        },
        {"type": "categorical", "start": 0},
        4,
        "int32",
    ),
    "everything": Kind(
        {"observation_a": ("bool", (3, 4)), "observation_b": ("float64", (2,))},
        {"type": "multi_categorical", "nvec": [3, 2], "start": [0, 2], "shape": [2]},
        5,
        is_masked=True,
        is_recurrent=True,
    ),
    "gaussian": Kind(
        {"observation": ("float32", (4,))},
        {"type": "gaussian", "low": [-1.0, None, None], "high": [1.0, 0.5, None], "shape": [3]},
        3,
        "float32",
    ),
    "masked": Kind(
        {"observation": ("float32", (4,))},
        {"type": "categorical", "start": 1},
        4,
        is_masked=True,
    ),
    "masked_bernoulli": Kind(
        {"observation": ("float32", (4,))},
        {"type": "bernoulli", "shape": [2]},
        2,
        "int8",
        is_masked=True,
    ),
    "masked_multi_categorical": Kind(
        {"observation": ("float32", (4,))},
        {"type": "multi_categorical", "nvec": [3, 2], "start": [0, 0], "shape": [2]},
        5,
        is_masked=True,
    ),
    "multi_categorical": Kind(
        {"observation": ("int64", (2,))},
        {
            "type": "multi_categorical",
            "nvec": [2, 3, 2, 4],
            "start": [0, 1, -2, 0],
            "shape": [2, 2],
        },
        11,
    ),
    "recurrent": Kind(
        {"observation": ("float32", (2,))},
        {"type": "categorical", "start": 0},
        3,
        is_recurrent=True,
    ),
    "started": Kind({"observation": ("int64", ())}, {"type": "categorical", "start": 5}, 3),
    "tanh_gaussian": Kind(
        {"observation": ("float32", (4,))},
        {"type": "tanh_gaussian", "low": [-2.0, 0.0], "high": [2.0, 10.0], "shape": [2, 1]},
        2,
        "float32",
    ),
    "cartpole": Kind(
        {"observation": ("float32", (4,))}, {"type": "categorical", "start": 0}, 2, "int32"
    ),
    "minatar": Kind(
        {"observation": ("bool", (3, 3, 2))}, {"type": "categorical", "start": 0}, 5, "int32"
    ),
    "pixels": Kind(
        {"observation": ("uint8", (84, 84, 4))}, {"type": "categorical", "start": 0}, 6, "int32"
    ),
}
"""A new kind goes to the end: the place is the seed of the weights."""


class SmallPolicy(NamedTuple):
    """Holds a kind with its weights, and computes in NumPy what its graph must reproduce."""

    name: str
    kind: Kind
    weights: np.ndarray  # [features + state, parameters], of means and deviations where both
    value_weights: np.ndarray  # [features + state]
    state_weights: np.ndarray  # [features, state]

    @property
    def is_continuous(self) -> bool:
        return "gaussian" in self.kind.distribution["type"]

    @property
    def inputs(self) -> dict[str, Row]:
        rows = dict(self.kind.observations)
        if self.kind.is_masked:
            rows["action_mask"] = ("bool", (sum(self.choices),))
        if self.kind.is_recurrent:
            rows |= {"state_in": ("float32", (STATE_SIZE,)), "reset": ("bool", ())}
        return rows

    @property
    def choices(self) -> list[int]:
        """Of each component of a discrete action."""
        distribution, count = self.kind.distribution, self.kind.parameter_count
        return {
            "categorical": [count],
            "multi_categorical": distribution.get("nvec"),
            "bernoulli": [2] * count,
        }[distribution["type"]]

    @property
    def outputs(self) -> dict[str, Row]:
        """In another order than that of publication."""
        outputs = self.run(self.random_inputs(1))
        return {
            name: (outputs[name].dtype.name, outputs[name].shape[1:]) for name in sorted(outputs)
        }

    def random_inputs(self, rows: int, seed: int = 0) -> Arrays:
        """Masks allow at least one choice, a state is one that can be met."""
        rng = np.random.default_rng(seed)
        inputs: Arrays = {}
        for name, (dtype, shape) in self.kind.observations.items():
            values = rng.normal(size=(rows, *shape))
            if dtype == "bool":
                values = values > 0
            elif not dtype.startswith("float"):
                values = rng.integers(1, 4, values.shape)  # a row of 0 would make every logit 0
            inputs[name] = values.astype(dtype)
        if self.kind.is_masked:
            inputs["action_mask"] = self._random_mask(rows, rng)
        if self.kind.is_recurrent:
            inputs["state_in"] = rng.normal(size=(rows, STATE_SIZE)).astype(np.float32)
            inputs["reset"] = rng.random(rows) < 0.5
        return inputs

    def run(self, inputs: Arrays) -> Arrays:
        """All outputs in NumPy."""
        rows = len(next(iter(inputs.values())))
        features = np.concatenate(
            [inputs[name].reshape(rows, -1) for name in self.kind.observations], axis=1
        ).astype(np.float32)
        outputs = {}
        if self.kind.is_recurrent:
            before = np.where(inputs["reset"][:, None], np.float32(0), inputs["state_in"])
            outputs["state_out"] = np.tanh(before + features @ self.state_weights)
            features = np.concatenate([features, outputs["state_out"]], axis=1)
        parameters = features @ self.weights
        outputs["value"] = features @ self.value_weights
        if self.is_continuous:
            outputs["mean"], outputs["log_std"] = np.split(parameters, 2, axis=1)
            outputs["action"] = self._continuous_action(outputs["mean"])
        else:
            outputs["logits"] = self._masked(parameters, inputs.get("action_mask"))
            outputs["action"] = self._discrete_action(outputs["logits"])
        return outputs

    def components(self, logits: np.ndarray) -> list[np.ndarray]:
        """Logits `[N, n]` of each component."""
        if self.kind.distribution["type"] == "bernoulli":
            return [np.stack([np.zeros_like(bit), bit], axis=1) for bit in logits.T]
        return np.split(logits, np.cumsum(self.choices)[:-1], axis=1)

    @property
    def start(self) -> np.ndarray:
        """`[K]`, of each component."""
        start = self.kind.distribution.get("start", 0)
        return np.broadcast_to(start, len(self.choices))

    def _random_mask(self, rows: int, rng: np.random.Generator) -> np.ndarray:
        parts = []
        for size in self.choices:
            part = rng.random((rows, size)) < 0.5
            part[np.arange(rows), rng.integers(size, size=rows)] = True
            parts.append(part)
        return np.concatenate(parts, axis=1)

    def _masked(self, logits: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        if mask is None:
            return logits
        if self.kind.distribution["type"] != "bernoulli":
            return np.where(mask, logits, FORBIDDEN)
        zero, one = mask[:, 0::2], mask[:, 1::2]
        return np.where(one, np.where(zero, logits, FORCED), FORBIDDEN)

    def _discrete_action(self, logits: np.ndarray) -> np.ndarray:
        best = [scores.argmax(axis=1) for scores in self.components(logits)]
        return self._shaped(np.stack(best, axis=1) + self.start)

    def _continuous_action(self, mean: np.ndarray) -> np.ndarray:
        low, high = self.bounds
        if self.kind.distribution["type"] == "tanh_gaussian":
            return self._shaped(low + (high - low) * (np.tanh(mean) + 1) / 2)
        return self._shaped(np.clip(mean, low, high))

    def _shaped(self, action: np.ndarray) -> np.ndarray:
        shape = self.kind.distribution.get("shape", [])
        return action.astype(self.kind.action_dtype).reshape(len(action), *shape)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = (self.kind.distribution[side] for side in ("low", "high"))
        unbounded = np.finfo(np.float32).max
        return (
            np.array([-unbounded if bound is None else bound for bound in low], np.float32),
            np.array([unbounded if bound is None else bound for bound in high], np.float32),
        )


def small_policy(name: str, kind: Kind | None = None) -> SmallPolicy:
    """Returns the policy of that name, whose weights depend on the name alone.

    Args:
        name: A key of KINDS.
        kind: What takes the place of the kind of that name.
    """
    kind = kind or KINDS[name]
    rng = np.random.default_rng([*KINDS].index(name))
    features = sum(math.prod(shape) for _, shape in kind.observations.values())
    width = features + STATE_SIZE * kind.is_recurrent
    count = kind.parameter_count * (1 + ("gaussian" in kind.distribution["type"]))
    weights = [
        rng.normal(size=size).astype(np.float32) / 2
        for size in ((width, count), (width,), (features, STATE_SIZE))
    ]
    return SmallPolicy(name, kind, *weights)
