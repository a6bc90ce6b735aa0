"""Names in an ONNX file by what it computes, so that equal policies are equal bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import onnx

Names = dict[str, str]
"""name of a tensor as the converter gave it -> its name in the file."""


def name_by_place(model: onnx.ModelProto) -> None:
    """Orders and names nodes and weights by their place before the outputs, in place.

    The converter numbers what it names, and orders weights by name, so that a second export of a
    process would be another file. Inputs and outputs of the model keep their names.

    Args:
      model: as the converter wrote it; parts that no output needs are dropped.
    """
    graph = model.graph
    graph.name, graph.doc_string = "policy", ""
    kept = {tensor.name: tensor.name for tensor in (*graph.input, *graph.output)}
    _name(graph, kept, "")


def _name(graph: onnx.GraphProto, names: Names, prefix: str) -> Names:
    """Names the nodes of a graph.

    Args:
      graph: to be changed.
      names: of the tensors that have their name: of graphs around this one, and what it keeps.
      prefix: of every name.

    Returns:
      The names of all tensors of the graph, and those of `names`.
    """
    names = dict(names)
    weights = {weight.name: weight for weight in graph.initializer}
    used: list[str] = []
    nodes = _ordered(graph)
    for i, node in enumerate(nodes):
        node.name, node.doc_string = f"{prefix}{node.op_type}_{i}", ""
        for place, name in enumerate(_read_by(node)):
            if name in weights and name not in used:
                used.append(name)
                names.setdefault(name, f"{node.name}.{place}")
        for place, name in enumerate(node.output):
            if name:
                names.setdefault(name, f"{node.name}:{place}")
    for node in nodes:
        _rename(node, names)
    used += [tensor.name for tensor in graph.output if tensor.name in weights.keys() - set(used)]
    for name in used:
        weights[name].name = names.setdefault(name, f"{prefix}{name}")
    ordered = [weights[name] for name in used]
    _replace(graph.node, nodes)
    _replace(graph.initializer, ordered)
    del graph.value_info[:]
    return names


def _rename(node: onnx.NodeProto, names: Names) -> None:
    """Gives the tensors of a node, and of the graphs in it, the names that they have now."""
    _replace(node.input, [names.get(name, name) for name in node.input])
    _replace(node.output, [names.get(name, name) for name in node.output])
    _replace(node.attribute, sorted(node.attribute, key=lambda attribute: attribute.name))
    for number, graph in enumerate(_graphs(node)):
        prefix = f"{node.name}/{number}/"
        own = {tensor.name: f"{prefix}in_{i}" for i, tensor in enumerate(graph.input)}
        inner = _name(graph, {**names, **own}, prefix)
        for tensor in (*graph.input, *graph.output):
            tensor.name = inner.get(tensor.name, tensor.name)


def _ordered(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Returns the nodes that outputs need, each after those that it reads, by depth first."""
    makers = {name: node for node in graph.node for name in node.output if name}
    ordered: list[onnx.NodeProto] = []
    finished: set[str] = set()
    stack = [tensor.name for tensor in reversed(graph.output)]
    while stack:
        node = makers.get(stack[-1])
        if node is None or stack[-1] in finished:
            stack.pop()
            continue
        waiting = [name for name in _read_by(node) if name in makers and name not in finished]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        finished.update(node.output)
        ordered.append(node)
    return ordered


def _read_by(node: onnx.NodeProto) -> list[str]:
    """Returns the tensors that a node reads, those that graphs in it take from outside included."""
    outside = []
    for graph in _graphs(node):
        inside = {tensor.name for tensor in (*graph.input, *graph.initializer)}
        inside |= {name for inner in graph.node for name in inner.output}
        reads = [name for inner in graph.node for name in _read_by(inner)]
        reads += [tensor.name for tensor in graph.output]
        outside += [name for name in reads if name not in inside]
    return [name for name in (*node.input, *outside) if name]


def _graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _replace(field: Any, values: Iterable[Any]) -> None:
    """Puts other values into a repeated field of a message."""
    copies = list(values)
    del field[:]
    field.extend(copies)
