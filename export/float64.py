"""The inference function in float64: what the network would answer if it did not round.

The graph of the function is rewritten, every float32 in it as a float64. Weights and constants keep
their values, since those numbers of float32 are what the function is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from export.inference import Inference, Inputs, Outputs

Change = Callable[[np.ndarray], np.ndarray]
"""what becomes of an array of float64."""

SUFFIX = "_in_float64"


class Traced(NamedTuple):
    """The inference function as a graph in float64 whose first inputs are weights and constants."""

    function: Callable[..., list[tf.Tensor]]
    """weights, constants, inputs and what it captured, one after the other -> outputs."""
    outputs: list[str]
    signature: list[str]
    weights: list[keras.Variable]
    constants: list[np.ndarray]
    """those of float32; functions that the graph calls keep their own."""
    captured: list[tf.Tensor]


def trace(inference: Inference) -> Traced:
    """Returns the graph of the inference function, from which functions in float64 are made."""
    weights, signature = inference.weights, inference.signature
    specs = [tf.TensorSpec(weight.shape, weight.dtype) for weight in weights]

    def stateless(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        values, inputs = tensors[: len(weights)], tensors[len(weights) :]
        with keras.StatelessScope(zip(weights, values, strict=True)):
            return inference.outputs(*inputs)

    function = tf.function(stateless, input_signature=[*specs, *signature], autograph=False)
    concrete = function.get_concrete_function()
    graph = _rewritten(concrete.graph.as_graph_def())
    constants = _exposed_constants(graph)
    names = [tensor.name for tensor in concrete.inputs]
    given = [*names[: len(weights)], *(f"{name}:0" for name in constants), *names[len(weights) :]]
    outputs = concrete.structured_outputs
    return Traced(
        _imported(graph, given, [tensor.name for tensor in outputs.values()]),
        list(outputs),
        [spec.name for spec in signature],
        weights,
        list(constants.values()),
        [_widened(tensor) for tensor in concrete.captured_inputs],
    )


def in_float64(traced: Traced, change: Change = lambda array: array) -> Callable[[Inputs], Outputs]:
    """Returns the inference function computed in float64.

    Args:
      traced: the function.
      change: is applied to every array of weights, constants and inputs, as float64 arrays.

    Returns:
      inputs -> outputs, both by name as those of `Inference`, with float64 for float32. It has the
      weights that the network has at this moment.
    """
    arrays = [*(weight.numpy() for weight in traced.weights), *traced.constants]
    own = [tf.constant(_changed(array, change)) for array in arrays]

    def run(inputs: Inputs) -> Outputs:
        given = [tf.constant(_changed(inputs[name], change)) for name in traced.signature]
        outputs = traced.function(*own, *given, *traced.captured)
        return {name: x.numpy() for name, x in zip(traced.outputs, outputs, strict=True)}

    return run


def _imported(
    graph: tf.compat.v1.GraphDef, inputs: Sequence[str], outputs: Sequence[str]
) -> Callable[..., list[tf.Tensor]]:
    """The graph as a function from the tensors of some names to those of others."""
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    element = wrapped.graph.as_graph_element
    return wrapped.prune([element(name) for name in inputs], [element(name) for name in outputs])


def _rewritten(graph: tf.compat.v1.GraphDef) -> tf.compat.v1.GraphDef:
    """The graph with every float32 a float64, functions that it calls included."""
    called = {function.signature.name for function in graph.library.function}
    nodes = [*graph.node]
    for function in graph.library.function:
        # the function in float32 goes by the name in this process
        function.signature.name += SUFFIX
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            argument.type = _double(argument.type)
        nodes += function.node_def
    for node in nodes:
        node.op += SUFFIX if node.op in called else ""
        # gradients, which nobody asks for, are registered for the function in float32
        node.attr.pop("_gradient_op_type", None)
        for value in node.attr.values():
            _rewrite(value)
    return graph


def _rewrite(value: tf.compat.v1.AttrValue) -> None:
    """The attribute of an operation: a type, a constant, a function, or a list of these."""
    match value.WhichOneof("value"):
        case "type":
            value.type = _double(value.type)
        case "tensor" if value.tensor.dtype == tf.float32.as_datatype_enum:
            constant = tf.make_ndarray(value.tensor).astype(np.float64)
            value.tensor.CopyFrom(tf.make_tensor_proto(constant))
        case "func" if value.func.name:
            value.func.name += SUFFIX
        case "list":
            value.list.type[:] = map(_double, value.list.type)
            for function in value.list.func:
                function.name += SUFFIX


def _exposed_constants(graph: tf.compat.v1.GraphDef) -> dict[str, np.ndarray]:
    """Makes inputs of the constants of the graph that are floats; returns them by name."""
    constants = {}
    for node in graph.node:
        if node.op == "Const" and node.attr["dtype"].type == tf.float64.as_datatype_enum:
            constants[node.name] = tf.make_ndarray(node.attr["value"].tensor)
            shape = tf.TensorShape(constants[node.name].shape).as_proto()
            node.op = "Placeholder"
            del node.attr["value"]
            node.attr["shape"].shape.CopyFrom(shape)
    return constants


def _double(kind: int) -> int:
    is_float = kind == tf.float32.as_datatype_enum
    return int(tf.float64.as_datatype_enum if is_float else kind)


def _changed(array: np.ndarray, change: Change) -> np.ndarray:
    is_float = array.dtype in (np.float32, np.float64)
    return change(array.astype(np.float64)) if is_float else array


def _widened(array: np.ndarray | tf.Tensor) -> tf.Tensor:
    tensor = tf.convert_to_tensor(array)
    return tf.cast(tensor, tf.float64) if tensor.dtype == tf.float32 else tensor
