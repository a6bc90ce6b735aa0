"""Small policies as ONNX graphs and as exports, and the ways in which a graph can be changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from support.small_policies import FORBIDDEN, FORCED, Arrays, Row, SmallPolicy


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


def onnx_model(small: SmallPolicy) -> onnx.ModelProto:
    """Returns the policy as a graph whose batch alone is symbolic."""
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
        graph.nodes, "policy", _infos(small.inputs), _infos(small.outputs), graph.constants
    )
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _flat(graph: Graph, name: str) -> str:
    return graph("Flatten", graph("Cast", name, to=TensorProto.FLOAT), axis=1)


def _write_continuous(graph: Graph, small: SmallPolicy, features: str) -> None:
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


def _write_discrete(graph: Graph, small: SmallPolicy, features: str) -> None:
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


def _write_action(graph: Graph, small: SmallPolicy, action: str) -> None:
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


def _manifest(small: SmallPolicy, model: bytes, golden: Arrays) -> dict[str, Any]:
    """Returns what export writes."""
    outputs = small.run(golden)
    return {
        "format": 2,
        "name": small.name,
        "environment": {"id": "Test-v0", "max_episode_steps": None},
        "inputs": _described(small.inputs),
        "outputs": _described(small.outputs),
        "action_distribution": small.kind.distribution,
        "onnx_sha256": hashlib.sha256(model).hexdigest(),
        "golden": [
            {
                "inputs": {name: values[i].tolist() for name, values in golden.items()},
                "outputs": {name: values[i].tolist() for name, values in outputs.items()},
            }
            for i in range(len(outputs["action"]))
        ],
    }


def _described(rows: dict[str, Row]) -> list[dict[str, Any]]:
    return [
        {"name": name, "dtype": dtype, "shape": [-1, *shape]}
        for name, (dtype, shape) in rows.items()
    ]


def write_export(
    folder: Path, small: SmallPolicy, model: bytes | None = None, golden: Arrays | None = None
) -> Path:
    """Writes the export of a policy, and returns its folder.

    Args:
        folder: Where it is written; made if missing.
        small: The policy.
        model: What takes the place of the policy's own graph.
        golden: Inputs of the golden samples; two random ones by default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = onnx_model(small).SerializeToString() if model is None else model
    (folder / "policy.onnx").write_bytes(content)
    inputs = small.random_inputs(2, seed=1) if golden is None else golden
    manifest = json.dumps(_manifest(small, content, inputs))
    (folder / "manifest.json").write_text(manifest, encoding="utf-8")
    return folder
