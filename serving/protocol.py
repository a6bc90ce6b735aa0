"""The Open Inference Protocol v2 with JSON tensors: pure functions between bytes and arrays.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from serving.errors import InvalidInputError
from serving.inputs import Inputs, check_together
from serving.json_codec import decode
from serving.policy import Policy
from serving.tensors import (
    DATATYPES,
    Array,
    TensorSpec,
    check_batch,
    check_shape,
    decode_values,
    depth_of,
)

SERVER_NAME = "a2c_tf"
SERVER_VERSION = "0.1.0"
PLATFORM = "onnx_onnxv1"
BINARY_HELP = (
    "binary tensor data is not supported by this version; send and ask for JSON data "
    "(tritonclient: binary_data=False on every input and requested output)"
)

Parameters = dict[str, str | bool | int | float | None]


class RequestInput(msgspec.Struct):
    """One input tensor of a request."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    parameters: Parameters | None = None


class RequestedOutput(msgspec.Struct):
    """One output that the client wants."""

    name: str
    parameters: Parameters | None = None


class InferenceRequest(msgspec.Struct):
    """Body of `POST .../infer`; keys that the protocol does not know are ignored."""

    inputs: list[RequestInput]
    outputs: list[RequestedOutput] | None = None
    id: str | None = None
    parameters: Parameters | None = None


class ResponseOutput(msgspec.Struct):
    """One output tensor, its data flat and row-major."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]


class InferenceResponse(msgspec.Struct, omit_defaults=True):
    """Body of the answer; `id` is there if the request had one."""

    model_name: str
    model_version: str
    outputs: list[ResponseOutput]
    id: str | None = None


_DECODER = msgspec.json.Decoder(InferenceRequest)
EXPECTED = '{"inputs": [{"name": "...", "shape": [...], "datatype": "...", "data": [...]}]}'


def server_metadata() -> dict[str, Any]:
    """Returns the body of `GET /v2`."""
    return {"name": SERVER_NAME, "version": SERVER_VERSION, "extensions": []}


def model_metadata(policy: Policy) -> dict[str, Any]:
    """Returns the body of `GET /v2/models/M`."""
    return {
        "name": policy.name,
        "versions": [policy.version],
        "platform": PLATFORM,
        "inputs": [_tensor_metadata(spec) for spec in policy.inputs.values()],
        "outputs": [_tensor_metadata(spec) for spec in policy.outputs.values()],
    }


def infer(policy: Policy, body: bytes) -> bytes:
    """Returns the JSON answer to the JSON request `body`.

    Raises:
      InvalidInputError: for a body that is no request, or tensors of other names, datatypes or
        shapes.
    """
    request = decode(body, _DECODER, EXPECTED)
    _refuse_binary(request)
    names = _output_names(request.outputs or [], list(policy.outputs))
    outputs = policy.run(_inputs(request.inputs, policy))
    response = InferenceResponse(
        model_name=policy.name,
        model_version=policy.version,
        outputs=[_response_output(name, outputs[name]) for name in names],
        id=request.id,
    )
    return msgspec.json.encode(response)


def _tensor_metadata(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": spec.shape}


def _refuse_binary(request: InferenceRequest) -> None:
    asked = (
        _given(request.parameters, "binary_data_output")
        or any(_given(tensor.parameters, "binary_data_size") for tensor in request.inputs)
        or any(_given(tensor.parameters, "binary_data") for tensor in request.outputs or [])
    )
    if asked:
        raise InvalidInputError(BINARY_HELP)


def _given(parameters: Mapping[str, Any] | None, key: str) -> bool:
    """Returns whether the parameter is there and not false; a size of 0 bytes counts, too."""
    return (parameters or {}).get(key, False) is not False


def _output_names(outputs: list[RequestedOutput], offered: list[str]) -> list[str]:
    names = [output.name for output in outputs]
    for name in names:
        if name not in offered or names.count(name) > 1:
            raise InvalidInputError(
                f"outputs: received {name!r}; expected each of {', '.join(offered)} at most once"
            )
    return names or offered


def _inputs(tensors: list[RequestInput], policy: Policy) -> Inputs:
    if sorted(tensor.name for tensor in tensors) != sorted(policy.inputs):
        names = ", ".join(repr(tensor.name) for tensor in tensors[:8]) or "no tensor"
        expected = ", ".join(map(repr, policy.inputs))
        raise InvalidInputError(f"inputs: received {names}; expected each once: {expected}")
    received = {tensor.name: tensor for tensor in tensors}
    inputs = {name: _array(received[name], spec) for name, spec in policy.inputs.items()}
    check_together(inputs, policy.inputs, policy.choices)
    return inputs


def _array(tensor: RequestInput, spec: TensorSpec) -> Array:
    if tensor.datatype != DATATYPES[spec.dtype]:
        raise InvalidInputError(
            f"{spec.name}: received datatype {tensor.datatype!r}; "
            f"expected {DATATYPES[spec.dtype]}: {spec}"
        )
    check_shape(tensor.shape, spec)
    batch = _shaped(bytes(tensor.data), tensor.shape, spec)
    check_batch(batch, spec)
    return batch


def _shaped(data: bytes, shape: list[int], spec: TensorSpec) -> Array:
    """Returns the values of flat or nested `data`, which must be as many as `shape` says."""
    if not data:
        raise InvalidInputError(f"{spec.name}: received no data; expected {spec}")
    depth = depth_of(data)
    if depth not in (1, len(shape)):
        raise InvalidInputError(
            f"{spec.name}: received data {depth} lists deep; "
            f"expected 1 (flat) or {len(shape)} (nested as its shape)"
        )
    values = decode_values(data, depth, spec)
    expected = shape if depth == len(shape) else [math.prod(shape)]
    if list(values.shape) != expected:
        raise InvalidInputError(
            f"{spec.name}: received data of shape {list(values.shape)}; "
            f"expected {expected}, since the tensor's shape is {shape}"
        )
    return values.reshape(shape)


def _response_output(name: str, values: Array) -> ResponseOutput:
    return ResponseOutput(
        name=name,
        datatype=DATATYPES[values.dtype.name],
        shape=list(values.shape),
        data=values.ravel().tolist(),
    )
