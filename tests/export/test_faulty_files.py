"""Files with a mistake in them are refused, and by a wide margin."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from a2c_tf import config
from a2c_tf.agent import Agent, make_agent
from a2c_tf.envs import registry
from export import float64, formats, parity, rounding
from export.formats import Runner
from export.inference import Inference
from export.parity import ParityError
from export.samples import collect_samples

pytestmark = pytest.mark.slow

Edit = Callable[[onnx.GraphProto], None]
WIDE = 1.5
"""times the limit, where every fault lies beyond it."""


class Pixels(gymnasium.Env):
    """Shows random images for ever."""

    observation_space = gymnasium.spaces.Box(0, 255, (8, 8, 2), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        return self._image(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return self._image(), 0.0, False, False, {}

    def _image(self) -> np.ndarray:
        return self.np_random.integers(0, 256, (8, 8, 2), np.uint8)


gymnasium.register("PixelsForExports-v0", Pixels, max_episode_steps=9)


class Gate:
    """An agent, its ONNX file, and what the gate makes of another file."""

    def __init__(self, agent: Agent, settings: config.Config, folder: Path) -> None:
        self.agent, self.inference = agent, Inference(agent)
        self.path = folder / "policy.onnx"
        formats.write_onnx(self.inference, self.path)
        self.samples = collect_samples(agent, self.inference, settings)
        traced = float64.trace(self.inference)
        self.references = rounding.references(traced, self.samples)

    def check(self, file: Runner, network: Runner | None = None) -> parity.Parity:
        return parity.check(
            network or self.inference,
            {"onnx": file},
            self.samples,
            self.references,
            self.agent.distribution,
        )

    def edited(self, edit: Edit) -> Runner:
        """The file with something else in its graph, as a function."""
        model = onnx.load(self.path)
        edit(model.graph)
        onnx.checker.check_model(model)
        changed = self.path.with_name("changed.onnx")
        onnx.save(model, changed)
        return formats.run_onnx(changed)

    def refuses(self, file: Runner, network: Runner | None = None) -> None:
        with pytest.raises(ParityError) as refusal:
            self.check(file, network)
        measured = re.search(r"by ([\d.]+) float32 steps, expected ([\d.]+)", str(refusal.value))
        assert measured, refusal.value
        distance, limit = map(float, measured.groups())
        assert distance > WIDE * limit


@pytest.fixture(scope="module")
def trained(cartpole: Any, tmp_path_factory: pytest.TempPathFactory) -> Gate:
    """CartPole, tanh; trained."""
    source = cartpole.source
    return Gate(source.agent, source.config, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def gate_for(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Gate]:
    """A fresh agent of some config, with biases and moments such as training leaves."""

    def gate(name: str, *overrides: str) -> Gate:
        settings = config.load(name, ["env.num_envs=2", *overrides])
        agent = make_agent(registry.make(settings.env).spec, settings)
        rng = np.random.default_rng(0)
        for weight in agent.model.weights:
            if weight.path.endswith("bias"):
                weight.assign(rng.normal(0, 0.1, weight.shape))
            elif weight.path.endswith(("count", "squares")):
                weight.assign(np.full(weight.shape, 1e4 if weight.path.endswith("count") else 4e4))
            elif weight.path.endswith("mean"):
                weight.assign(rng.normal(5, 1, weight.shape))
        return Gate(agent, settings, tmp_path_factory.mktemp("fresh"))

    return gate


def floats(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """The arrays of weights and constants by name."""
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    return {name: array for name, array in arrays.items() if array.dtype == np.float32}


def replacing(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Edit:
    """Changes one array of the graph."""

    def edit(graph: onnx.GraphProto) -> None:
        (found,) = (one for one in graph.initializer if one.name == name)
        array = change(numpy_helper.to_array(found)).astype(np.float32)
        found.CopyFrom(numpy_helper.from_array(array, name))

    return edit


def test_what_export_writes_passes(trained: Gate) -> None:
    measured = trained.check(formats.run_onnx(trained.path))
    assert 0 < max(measured.float32_steps.values()) < 20
    assert measured.allowed_steps.keys() == {"logits", "value"}


def test_an_array_of_weights_that_is_off_by_one_in_ten_thousand(trained: Gate) -> None:
    arrays = floats(onnx.load(trained.path).graph)
    kernels = [name for name, array in arrays.items() if array.ndim == 2]
    assert len(kernels) == 4
    for name in kernels:
        trained.refuses(trained.edited(replacing(name, lambda x: x * 1.0001)))


def test_every_bias_that_is_dropped(trained: Gate) -> None:
    arrays = floats(onnx.load(trained.path).graph)
    biases = [name for name, array in arrays.items() if array.ndim == 1]
    assert len(biases) == 4
    for name in biases:
        trained.refuses(trained.edited(replacing(name, np.zeros_like)))


def test_outputs_that_are_swapped(trained: Gate) -> None:
    def swap(graph: onnx.GraphProto) -> None:
        for name, array in floats(graph).items():
            if array.ndim and array.shape[-1] == 2:
                replacing(name, lambda x: x[..., ::-1])(graph)

    trained.refuses(trained.edited(swap))


@pytest.mark.parametrize("other", ["Softsign", "HardSigmoid", "Erf"])
def test_another_activation(trained: Gate, other: str) -> None:
    def change(graph: onnx.GraphProto) -> None:
        last = [node for node in graph.node if node.op_type == "Tanh"][-1]
        last.op_type = other

    trained.refuses(trained.edited(change))


def test_a_leak_of_a_thousandth_in_a_relu(gate_for: Callable[..., Gate]) -> None:
    gate = gate_for("minatar_breakout", "network.hidden=[16]")

    def change(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            if node.op_type == "Relu":
                node.op_type = "LeakyRelu"
                node.attribute.append(helper.make_attribute("alpha", 0.001))

    gate.refuses(gate.edited(change))


def test_pixels_that_are_divided_by_a_little_more(gate_for: Callable[..., Gate]) -> None:
    gate = gate_for(
        "minatar_breakout",
        "env.id=PixelsForExports-v0",
        "env.backend=gymnasium",
        "env.sticky_action_probability=null",
    )
    arrays = floats(onnx.load(gate.path).graph)
    (bound,) = (
        name
        for name, array in arrays.items()
        if array.size == 1 and np.isclose(array.item(), [255, 1 / 255]).any()
    )
    gate.refuses(gate.edited(replacing(bound, lambda x: x * 1.0001)))


def test_a_normaliser(gate_for: Callable[..., Gate]) -> None:
    """Whose scale or mean is wrong, or that is missing."""
    gate = gate_for("cartpole", "network.normalize_observation=true")
    arrays = floats(onnx.load(gate.path).graph)
    parts = [name for name, array in arrays.items() if array.size == 4 and "policy" not in name]
    assert len(parts) == 2
    for name in parts:
        gate.refuses(gate.edited(replacing(name, lambda x: x * 1.0001)))
    gate.refuses(gate.edited(lambda graph: [replacing(p, np.zeros_like)(graph) for p in parts]))
    count = next(w for w in gate.agent.model.weights if w.path.endswith("count"))
    count.assign(0.0)
    other = gate.path.with_name("other.onnx")
    formats.write_onnx(gate.inference, other)
    count.assign(1e4)
    gate.refuses(formats.run_onnx(other))


def test_mean_and_deviation_that_are_swapped(gate_for: Callable[..., Gate]) -> None:
    gate = gate_for("pendulum")
    file = formats.run_onnx(gate.path)
    assert gate.check(file)

    def swap(graph: onnx.GraphProto) -> None:
        names = {"mean": "log_std", "log_std": "mean"}
        for node in graph.node:
            node.output[:] = [names.get(name, name) for name in node.output]
            node.input[:] = [names.get(name, name) for name in node.input]

    gate.refuses(gate.edited(swap))


def test_a_network_that_is_wrong_does_not_excuse_a_file_that_is(trained: Gate) -> None:
    name = next(n for n, x in floats(onnx.load(trained.path).graph).items() if x.ndim == 2)
    wrong = trained.edited(replacing(name, lambda x: x * 1.01))
    trained.refuses(wrong, network=wrong)
