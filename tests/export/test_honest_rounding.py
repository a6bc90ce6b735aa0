"""What float32 does by itself is never refused: networks of every kind, of all sizes of weights."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from gymnasium import spaces

from a2c_tf import config
from a2c_tf.agent import Agent, make_agent
from a2c_tf.types import EnvSpec
from export import float64, formats, parity, rounding
from export.inference import MASK, RESET, STATE_IN, Inference, Inputs
from export.samples import Samples

pytestmark = pytest.mark.slow

VECTOR = spaces.Box(-np.inf, np.inf, (8,), np.float32)
BOX = spaces.Box(-2, 3, (3,), np.float32)
DISCRETE = spaces.Discrete(4)
PARTS = spaces.Dict(
    {
        "bits": spaces.MultiBinary(3),
        "image": spaces.Box(0, 255, (3, 8, 8), np.uint8),
        "number": spaces.Discrete(5),
        "vector": spaces.Box(-1, 1, (4,), np.float32),
    }
)


class Kind(NamedTuple):
    """What is seen and done, and the settings of the network between."""

    network: tuple[str, ...] = ()
    observation: spaces.Space = VECTOR
    action: spaces.Space = DISCRETE
    mask: tuple[int, ...] = ()
    """sizes of the choices, where some may be forbidden."""


KINDS = {
    "tanh": Kind(),
    "relu": Kind(("activation=relu",)),
    "silu": Kind(("activation=silu", "shared=false")),
    "minatar": Kind(("torso=minatar", "activation=relu"), spaces.Box(0, 1, (10, 10, 4), bool)),
    "nature": Kind(("torso=nature", "activation=relu"), spaces.Box(0, 255, (4, 52, 52), np.uint8)),
    "impala": Kind(("torso=impala", "activation=relu"), spaces.Box(0, 255, (9, 9, 2), np.uint8)),
    "lstm": Kind(("core=lstm", "core_size=24")),
    "gru": Kind(("core=gru", "core_size=24", "activation=silu")),
    "gaussian": Kind(action=BOX),
    "tanh gaussian": Kind(("squash_actions=true", "activation=relu"), action=BOX),
    "multi-discrete": Kind(action=spaces.MultiDiscrete([3, 2, 4]), mask=(3, 2, 4)),
    "bernoulli": Kind(("activation=relu",), action=spaces.MultiBinary(5)),
    "dict": Kind(("torso=minatar", "activation=relu"), PARTS, mask=(4,)),
    "normalised": Kind(("normalize_observation=true",)),
}


def agent_of(kind: Kind) -> Agent:
    spec = EnvSpec(
        "Any-v0", "graph", 2, kind.observation, kind.action, action_mask_size=sum(kind.mask)
    )
    overrides = ["network.hidden=[32, 32]", *(f"network.{setting}" for setting in kind.network)]
    return make_agent(spec, config.load("cartpole", overrides))


def inputs_for(kind: Kind, inference: Inference, rng: np.random.Generator, count: int) -> Inputs:
    """Points of the space, any mask that leaves each choice something, any state."""
    space = kind.observation
    space.seed(int(rng.integers(2**31)))
    points = [space.sample() for _ in range(count)]
    inputs = {}
    for spec in inference.signature:
        shape = (count, *spec.shape[1:])
        key = spec.name.removeprefix("observation_")
        if spec.name == MASK:
            inputs[MASK] = rng.random(shape) < 0.5
            inputs[MASK][:, np.cumsum([0, *kind.mask[:-1]])] = True
        elif spec.name in (STATE_IN, RESET):
            inputs[STATE_IN] = np.tanh(rng.normal(size=(count, *inference.signature[-2].shape[1:])))
            inputs[STATE_IN] = inputs[STATE_IN].astype(np.float32)
            inputs[RESET] = rng.random(count) < 0.3
        else:
            arrays = [point[key] if isinstance(point, dict) else point for point in points]
            inputs[spec.name] = np.stack(arrays).astype(spec.dtype.as_numpy_dtype)
    return inputs


def train_somehow(agent: Agent, rng: np.random.Generator, largest: float) -> None:
    """Weights of many sizes, some columns alike, so that sums are large and cancel."""
    for weight in agent.model.weights:
        array = weight.numpy()
        if weight.path.endswith(("count", "squares")):
            array = np.full(array.shape, 1e3)
        elif array.ndim > 1:
            array = array * np.exp(rng.normal(0, 1, array.shape)) + rng.uniform(0, 0.05)
        else:
            array = rng.normal(0, 0.5, array.shape)
        is_head = "policy/" in weight.path or "value_head/" in weight.path
        weight.assign((array * (largest if is_head else 1.0)).astype(weight.dtype))


@pytest.mark.parametrize("largest", [0.1, 100.0])
@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_only_rounds_passes(name: str, largest: float, tmp_path: Path) -> None:
    kind, rng = KINDS[name], np.random.default_rng(len(name))
    agent = agent_of(kind)
    # means of actions that are squashed are of the size of 1
    train_somehow(agent, rng, min(largest, 3.0) if "gaussian" in name else largest)
    inference = Inference(agent)
    samples = Samples(*(inputs_for(kind, inference, rng, count) for count in (64, 32)))
    formats.write_onnx(inference, tmp_path / "policy.onnx")
    files = {"onnx": formats.run_onnx(tmp_path / "policy.onnx")}
    references = rounding.references(float64.trace(inference), samples)
    measured = parity.check(inference, files, samples, references, agent.distribution)
    assert 0 < max(measured.float32_steps.values()) < 20
