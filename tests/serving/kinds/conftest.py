"""A small real policy of every kind that export writes: as NumPy, as ONNX graph, as export."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest
import uvicorn
from onnx import TensorProto, helper, numpy_helper

from serving.announcement import announcement
from serving.app import make_app
from serving.loading import load_policy
from serving.policy import Policy

STATE_SIZE = 3
FORBIDDEN, FORCED = np.float32(-1e9), np.float32(1e9)

Arrays = dict[str, np.ndarray]
Row = tuple[str, tuple[int, ...]]
"""dtype and shape of one row."""


class Kind(NamedTuple):
    """What distinguishes a policy: parameters = [features, state] W, action by distribution."""

    observations: dict[str, Row]
    distribution: dict[str, Any]
    """as its manifest says."""
    parameter_count: int
    """logits, or components of a mean."""
    action_dtype: str = "int64"
    is_masked: bool = False
    is_recurrent: bool = False


KINDS = {
    "started": Kind({"observation": ("int64", ())}, {"type": "categorical", "start": 5}, 3),
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
    "bernoulli": Kind(
        {"observation": ("int8", (2, 2))}, {"type": "bernoulli", "shape": [3]}, 3, "int8"
    ),
    "gaussian": Kind(
        {"observation": ("float32", (4,))},
        {"type": "gaussian", "low": [-1.0, None, None], "high": [1.0, 0.5, None], "shape": [3]},
        3,
        "float32",
    ),
    "tanh_gaussian": Kind(
        {"observation": ("float32", (4,))},
        {"type": "tanh_gaussian", "low": [-2.0, 0.0], "high": [2.0, 10.0], "shape": [2, 1]},
        2,
        "float32",
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
    "masked": Kind(
        {"observation": ("float32", (4,))},
        {"type": "categorical", "start": 1},
        4,
        is_masked=True,
    ),
    "masked_multi_categorical": Kind(
        {"observation": ("float32", (4,))},
        {"type": "multi_categorical", "nvec": [3, 2], "start": [0, 0], "shape": [2]},
        5,
        is_masked=True,
    ),
    "masked_bernoulli": Kind(
        {"observation": ("float32", (4,))},
        {"type": "bernoulli", "shape": [2]},
        2,
        "int8",
        is_masked=True,
    ),
    "recurrent": Kind(
        {"observation": ("float32", (2,))},
        {"type": "categorical", "start": 0},
        3,
        is_recurrent=True,
    ),
    "everything": Kind(
        {"observation_a": ("bool", (3, 4)), "observation_b": ("float64", (2,))},
        {"type": "multi_categorical", "nvec": [3, 2], "start": [0, 2], "shape": [2]},
        5,
        is_masked=True,
        is_recurrent=True,
    ),
}


class Small(NamedTuple):
    """A kind with weights: what a graph must reproduce."""

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


def small_policy(name: str, kind: Kind) -> Small:
    rng = np.random.default_rng(sorted(KINDS).index(name))
    features = sum(math.prod(shape) for _, shape in kind.observations.values())
    width = features + STATE_SIZE * kind.is_recurrent
    count = kind.parameter_count * (1 + ("gaussian" in kind.distribution["type"]))
    weights = [
        rng.normal(size=size).astype(np.float32) / 2
        for size in ((width, count), (width,), (features, STATE_SIZE))
    ]
    return Small(name, kind, *weights)


class Graph:
    """Nodes and constants of a graph, as they are written down."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """The output of a new node, under that name if it has one."""
        output = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name


def onnx_of(small: Small) -> onnx.ModelProto:
    """The policy as a graph."""
    graph = Graph()
    flat = [_flat(graph, name) for name in small.kind.observations]
    features = graph("Concat", *flat, axis=1)
    if small.kind.is_recurrent:
        column = graph("Unsqueeze", "reset", graph.constant([1], np.int64))
        before = graph("Where", column, graph.constant(0), "state_in")
        moved = graph("MatMul", features, graph.constant(small.state_weights))
        state = graph("Tanh", graph("Add", before, moved), name="state_out")
        features = graph("Concat", features, state, axis=1)
    graph("MatMul", features, graph.constant(small.value_weights), name="value")
    if small.is_continuous:
        _write_continuous(graph, small, features)
    else:
        _write_discrete(graph, small, features)
    proto = helper.make_graph(
        graph.nodes, "policy", _infos(small.inputs), _infos(_outputs(small)), graph.constants
    )
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _flat(graph: Graph, name: str) -> str:
    return graph("Flatten", graph("Cast", name, to=TensorProto.FLOAT), axis=1)


def _write_continuous(graph: Graph, small: Small, features: str) -> None:
    mean_weights, log_std_weights = map(graph.constant, np.split(small.weights, 2, axis=1))
    mean = graph("MatMul", features, mean_weights, name="mean")
    graph("MatMul", features, log_std_weights, name="log_std")
    low, high = map(graph.constant, small.bounds)
    if small.kind.distribution["type"] == "tanh_gaussian":
        unit = graph("Div", graph("Add", graph("Tanh", mean), graph.constant(1)), graph.constant(2))
        action = graph("Add", low, graph("Mul", graph("Sub", high, low), unit))
    else:
        action = graph("Min", graph("Max", mean, low), high)
    _write_action(graph, small, action)


def _write_discrete(graph: Graph, small: Small, features: str) -> None:
    name = "raw_logits" if small.kind.is_masked else "logits"
    logits = graph("MatMul", features, graph.constant(small.weights), name=name)
    is_bernoulli = small.kind.distribution["type"] == "bernoulli"
    if small.kind.is_masked:
        allowed = "action_mask"
        if is_bernoulli:
            may_be_0, allowed = (_strided(graph, "action_mask", i, 2) for i in (0, 1))
            logits = graph("Where", may_be_0, logits, graph.constant(FORCED))
        logits = graph("Where", allowed, logits, graph.constant(FORBIDDEN), name="logits")
    if is_bernoulli:
        return _write_action(graph, small, graph("Greater", logits, graph.constant(0)))
    ends = np.cumsum(small.choices)
    best = [
        graph("ArgMax", _strided(graph, logits, end - size, 1, end), axis=1)
        for size, end in zip(small.choices, ends, strict=True)
    ]
    index = graph("Concat", *best, axis=1)
    _write_action(graph, small, graph("Add", index, graph.constant(small.start, np.int64)))


def _strided(graph: Graph, name: str, start: int, step: int, end: int = 2**31) -> str:
    numbers = ([start], [end], [1], [step])
    return graph("Slice", name, *(graph.constant(number, np.int64) for number in numbers))


def _write_action(graph: Graph, small: Small, action: str) -> None:
    cast = graph("Cast", action, to=_onnx_dtype(small.kind.action_dtype))
    shape = [0, *small.kind.distribution.get("shape", [])]
    graph("Reshape", cast, graph.constant(shape, np.int64), name="action")


def _onnx_dtype(dtype: str) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def _infos(rows: dict[str, Row]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, _onnx_dtype(dtype), ["batch", *shape])
        for name, (dtype, shape) in rows.items()
    ]


def _outputs(small: Small) -> dict[str, Row]:
    """In another order than that of publication."""
    outputs = small.run(small.random_inputs(1))
    return {name: (str(outputs[name].dtype), outputs[name].shape[1:]) for name in sorted(outputs)}


def manifest_of(small: Small, model: bytes) -> dict[str, Any]:
    """What export writes, with two golden samples."""
    inputs = small.random_inputs(2, seed=1)
    outputs = small.run(inputs)
    return {
        "format": 2,
        "name": small.name,
        "inputs": _described(small.inputs),
        "outputs": _described(_outputs(small)),
        "action_distribution": small.kind.distribution,
        "onnx_sha256": hashlib.sha256(model).hexdigest(),
        "golden": [
            {
                "inputs": {name: values[i].tolist() for name, values in inputs.items()},
                "outputs": {name: values[i].tolist() for name, values in outputs.items()},
            }
            for i in range(2)
        ],
    }


def _described(rows: dict[str, Row]) -> list[dict[str, Any]]:
    return [
        {"name": name, "dtype": dtype, "shape": [-1, *shape]}
        for name, (dtype, shape) in rows.items()
    ]


def write_export(folder: Path, small: Small, model: onnx.ModelProto | None = None) -> Path:
    """An export folder; `model` takes the place of the policy's own graph."""
    folder.mkdir(parents=True)
    content = (model or onnx_of(small)).SerializeToString()
    (folder / "policy.onnx").write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest_of(small, content)), encoding="utf-8")
    return folder


class Served(NamedTuple):
    """A policy of some kind, as NumPy and as the server's own."""

    small: Small
    policy: Policy
    client: Any
    """of the application."""

    def act(self, inputs: Arrays, **options: Any) -> dict[str, Any]:
        """The answer to a batch of inputs by their names in the graph."""
        response = self.client.post("/act", request_of(inputs) | options)
        assert response.status_code == 200, response.text
        return dict(response.json())


def request_of(inputs: Arrays) -> dict[str, Any]:
    """The body of `POST /act` for inputs by their names in the graph."""
    fields: dict[str, Any] = {}
    for name, values in inputs.items():
        if name.startswith("observation_"):
            fields.setdefault("observation", {})[name.removeprefix("observation_")] = values
        else:
            fields["state" if name == "state_in" else name] = values
    plain: dict[str, Any] = json.loads(json.dumps(fields, default=lambda values: values.tolist()))
    return plain


@pytest.fixture(scope="session")
def as_request() -> Callable[[Arrays], dict[str, Any]]:
    return request_of


@pytest.fixture(scope="session")
def make_kind_export() -> Callable[..., Path]:
    return write_export


@pytest.fixture(scope="session")
def make_kind_model() -> Callable[[Small], onnx.ModelProto]:
    return onnx_of


@pytest.fixture(scope="session")
def kind_named() -> Callable[[str], Small]:
    return lambda name: small_policy(name, KINDS[name])


@pytest.fixture(scope="session")
def served_named(
    tmp_path_factory: pytest.TempPathFactory, make_client: Callable[[Any], Any]
) -> Callable[[str], Served]:
    """The policy of a kind, loaded once."""
    loaded: dict[str, Served] = {}

    def served(name: str) -> Served:
        if name not in loaded:
            small = small_policy(name, KINDS[name])
            folder = write_export(tmp_path_factory.mktemp("kind") / name, small)
            policy = load_policy(folder, None)
            loaded[name] = Served(small, policy, make_client(make_app(policy)))
        return loaded[name]

    return served


@pytest.fixture(params=KINDS)
def served(request: pytest.FixtureRequest, served_named: Callable[[str], Served]) -> Served:
    """Each kind in turn."""
    return served_named(request.param)


@pytest.fixture
def listen() -> Iterator[Callable[[Policy], str]]:
    """Serves policies on sockets from this process; gives the line that a server prints."""
    with contextlib.ExitStack() as stack:

        def start(policy: Policy) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            config = uvicorn.Config(make_app(policy), lifespan="off", log_config=None)
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.001)
            return announcement(policy, listener)

        yield start
