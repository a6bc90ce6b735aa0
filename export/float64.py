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
    """The inference function as a graph whose first inputs are the weights."""

    graph: tf.compat.v1.GraphDef
    """in float32."""
    tensors: list[str]
    """names of its inputs: the weights, those of the signature, and what it captured."""
    outputs: dict[str, str]
    """names of its outputs' tensors, by the outputs' own."""
    signature: list[str]
    weights: list[keras.Variable]
    captured: list[tf.Tensor]


def trace(inference: Inference) -> Traced:
    """Returns the graph of the inference function, from which each function in float64 is made."""
    weights, signature = inference.weights, inference.signature
    specs = [tf.TensorSpec(weight.shape, weight.dtype) for weight in weights]

    def stateless(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        values, inputs = tensors[: len(weights)], tensors[len(weights) :]
        with keras.StatelessScope(zip(weights, values, strict=True)):
            return inference.outputs(*inputs)

    function = tf.function(stateless, input_signature=[*specs, *signature], autograph=False)
    concrete = function.get_concrete_function()
    return Traced(
        concrete.graph.as_graph_def(),
        [tensor.name for tensor in concrete.inputs],
        {name: tensor.name for name, tensor in concrete.structured_outputs.items()},
        [spec.name for spec in signature],
        weights,
        list(concrete.captured_inputs),
    )


def in_float64(
    traced: Traced, change: Change = lambda array: array
) -> Callable[[Inputs], Outputs]:
    """Returns the inference function computed in float64.

    Args:
      traced: the function.
      change: is applied to every array of weights, constants and inputs, as float64 arrays.

    Returns:
      inputs -> outputs, both by name as those of `Inference`, with float64 for float32. It has the
      weights that the network has at this moment.
    """
    graph = _rewritten(traced.graph, change)
    function = _imported(graph, traced.tensors, list(traced.outputs.values()))
    weights = [tf.constant(_changed(weight.numpy(), change)) for weight in traced.weights]
    captured = [_widened(tensor) for tensor in traced.captured]

    def run(inputs: Inputs) -> Outputs:
        given = [tf.constant(_changed(inputs[name], change)) for name in traced.signature]
        outputs = function(*weights, *given, *captured)
        return {name: x.numpy() for name, x in zip(traced.outputs, outputs, strict=True)}

    return run


def _imported(
    graph: tf.compat.v1.GraphDef, inputs: Sequence[str], outputs: Sequence[str]
) -> Callable[..., list[tf.Tensor]]:
    """The graph as a function from the tensors of some names to those of others."""
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    element = wrapped.graph.as_graph_element
    return wrapped.prune([element(name) for name in inputs], [element(name) for name in outputs])


def _rewritten(original: tf.compat.v1.GraphDef, change: Change) -> tf.compat.v1.GraphDef:
    """The graph with every float32 a float64, functions that it calls included."""
    graph = tf.compat.v1.GraphDef()
    graph.CopyFrom(original)
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
            _rewrite(value, change)
    return graph


def _rewrite(value: tf.compat.v1.AttrValue, change: Change) -> None:
    """The attribute of an operation: a type, a constant, a function, or a list of these."""
    match value.WhichOneof("value"):
        case "type":
            value.type = _double(value.type)
        case "tensor" if tf.as_dtype(value.tensor.dtype).is_floating:
            constant = _changed(tf.make_ndarray(value.tensor), change)
            value.tensor.CopyFrom(tf.make_tensor_proto(constant))
        case "func" if value.func.name:
            value.func.name += SUFFIX
        case "list":
            value.list.type[:] = map(_double, value.list.type)
            for function in value.list.func:
                function.name += SUFFIX


def _double(kind: int) -> int:
    is_float = kind == tf.float32.as_datatype_enum
    return int(tf.float64.as_datatype_enum if is_float else kind)


def _changed(array: np.ndarray, change: Change) -> np.ndarray:
    is_float = array.dtype in (np.float32, np.float64)
    return change(array.astype(np.float64)) if is_float else array


def _widened(array: np.ndarray | tf.Tensor) -> tf.Tensor:
    tensor = tf.convert_to_tensor(array)
    return tf.cast(tensor, tf.float64) if tensor.dtype == tf.float32 else tensor
