"""Ways in which an ONNX graph can be changed, for tests that a changed one is refused."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import TensorProto, helper

Shape = list[int | str]


def _rename(nodes: Iterable[onnx.NodeProto], old: str, new: str) -> None:
    for node in nodes:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = new if name == old else name


def renamed(model: onnx.ModelProto, old: str, new: str) -> onnx.ModelProto:
    """Returns the graph with another name for an input or an output."""
    _rename(model.graph.node, old, new)
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.name = new if tensor.name == old else tensor.name
    return model


def retyped(model: onnx.ModelProto, name: str, dtype: int, shape: Shape) -> onnx.ModelProto:
    """Returns the graph with another type of an input, cast and reshaped to the old one inside."""
    (tensor,) = (tensor for tensor in model.graph.input if tensor.name == name)
    old = tensor.type.tensor_type.elem_type
    _rename(model.graph.node, name, "inside")
    shape_name = "shape_inside"
    sizes = [dim.dim_value for dim in tensor.type.tensor_type.shape.dim][1:]
    model.graph.initializer.append(
        helper.make_tensor(shape_name, TensorProto.INT64, [1 + len(sizes)], [0, *sizes])
    )
    cast = helper.make_node("Cast", [name], ["cast_inside"], to=old)
    reshape = helper.make_node("Reshape", ["cast_inside", shape_name], ["inside"])
    model.graph.node.insert(0, reshape)
    model.graph.node.insert(0, cast)
    tensor.CopyFrom(helper.make_tensor_value_info(name, dtype, shape))
    onnx.checker.check_model(model)
    return model


def with_output(
    model: onnx.ModelProto, name: str, shape: Shape, node: onnx.NodeProto
) -> onnx.ModelProto:
    """Returns the graph whose output `name` comes from a node, which may read "former"."""
    _rename(model.graph.node, name, "former")
    model.graph.node.append(node)
    (tensor,) = (tensor for tensor in model.graph.output if tensor.name == name)
    tensor.CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    return model
