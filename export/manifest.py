"""`manifest.json`: what a policy file is, for whoever loads it without TensorFlow."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces

from a2c_tf.agent import Agent
from a2c_tf.config import Config
from a2c_tf.types import Counters, ObservedSteps
from export.formats import OPSET
from export.inference import Inputs, Outputs
from export.parity import Parity

FORMAT = 2
LIBRARIES = ("tensorflow", "keras", "numpy", "gymnasium", "tf2onnx", "onnx", "onnxruntime")


class Source(NamedTuple):
    """Where an exported policy comes from."""

    agent: Agent
    config: Config
    counters: Counters
    """how long it was trained."""
    evaluation: Mapping[str, Any] | None
    """its score, where it has one."""
    observed: ObservedSteps | None = None
    """what its environments observed, where that was kept."""


class Golden(NamedTuple):
    """A few inputs and the network's answers to them, each array by name."""

    inputs: Inputs
    outputs: Outputs
    tolerance: dict[str, float]
    """by output, how far another runtime's numbers may be off by rounding, absolute."""


def describe(
    source: Source, parity: Parity, golden: Golden, onnx_file: Path | None
) -> dict[str, Any]:
    """Describes an exported policy.

    Args:
      source: where it comes from.
      parity: what the gate measured.
      golden: inputs, and the network's answers.
      onnx_file: for its SHA-256; None where the export has none.

    Returns:
      The manifest as plain values.
    """
    spec = source.agent.spec
    return {
        "format": FORMAT,
        "name": re.sub(r"[^a-z0-9._]+", "-", spec.id.lower()),
        "environment": {"id": spec.id, "max_episode_steps": spec.max_episode_steps},
        "observation_space": describe_space(spec.observation_space),
        "action_space": describe_space(spec.action_space),
        "action_meanings": list(spec.action_meanings),
        "action_distribution": source.agent.distribution.manifest_entry(),
        "inputs": [_tensor(name, array) for name, array in golden.inputs.items()],
        "outputs": [_tensor(name, array) for name, array in golden.outputs.items()],
        "config": source.config.model_dump(mode="json"),
        "env_steps": source.counters.env_steps,
        "evaluation": source.evaluation,
        "versions": {library: _version(library) for library in LIBRARIES},
        "opset": OPSET,
        "onnx_sha256": onnx_file and hashlib.sha256(onnx_file.read_bytes()).hexdigest(),
        "parity": parity._asdict(),
        "golden": _samples(golden),
        "tolerance": golden.tolerance,
    }


def describe_space(space: gymnasium.Space) -> dict[str, Any]:
    """Returns a space as plain values; infinite bounds are null."""
    described: dict[str, Any]
    match space:
        case spaces.Discrete():
            described = {"n": int(space.n), "start": int(space.start)}
        case spaces.MultiDiscrete():
            described = {"nvec": space.nvec.tolist(), "start": space.start.tolist()}
        case spaces.MultiBinary():
            described = {"shape": list(space.shape)}
        case spaces.Dict():
            described = {"spaces": {key: describe_space(part) for key, part in space.items()}}
        case spaces.Box():
            described = {
                "shape": list(space.shape),
                "dtype": str(space.dtype),
                "low": _bound(space.low),
                "high": _bound(space.high),
            }
        case _:
            raise TypeError(f"space {space} has no description")
    return {"type": type(space).__name__, **described}


def _version(library: str) -> str:
    """Returns the version of a library as it says itself: several packages hold a `tensorflow`."""
    return str(importlib.import_module(library).__version__)


def _bound(values: np.ndarray) -> Any:
    """Returns one number where all are the same, else nested lists."""
    plain = [float(value) if np.isfinite(value) else None for value in values.flat]
    same = all(value == plain[0] for value in plain)
    return plain[0] if same else np.array(plain, object).reshape(values.shape).tolist()


def _tensor(name: str, array: np.ndarray) -> dict[str, Any]:
    return {"name": name, "dtype": str(array.dtype), "shape": [-1, *array.shape[1:]]}


def _samples(golden: Golden) -> list[dict[str, Any]]:
    count = len(golden.outputs["action"])
    kinds = {"inputs": golden.inputs, "outputs": golden.outputs}
    return [
        {
            kind: {name: array[i].tolist() for name, array in arrays.items()}
            for kind, arrays in kinds.items()
        }
        for i in range(count)
    ]
