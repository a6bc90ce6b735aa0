"""A policy: an ONNX graph from a batch of observations to actions, logits and values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from serving.errors import InvalidInputError, ModelError
from serving.tensors import DATATYPES, Array, TensorSpec

INPUT = "observation"
OUTPUTS = ("action", "logits", "value")
OUTPUT_RANKS = (1, 2, 1)
OUTPUT_DTYPES = (("int32", "int64"), ("float32",), ("float32",))
ORT_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}


class PolicyOutput(NamedTuple):
    """What the policy says of N observations."""

    action: NDArray[np.integer[Any]]  # [N], greedy
    logits: NDArray[np.float32]  # [N, A]
    value: NDArray[np.float32]  # [N]


class Policy:
    """An ONNX policy with discrete actions, ready to run.

    Args:
      name: under which it is served.
      model: content of `policy.onnx`.

    Raises:
      ModelError: for bytes that are no model, or a model with other inputs and outputs.
    """

    def __init__(self, name: str, model: bytes) -> None:
        self.name = name
        self.version = "1"
        self._session = _open_session(model)
        self.observation = _observation_spec(self._session.get_inputs())
        self.outputs = self._warm_up()

    def run(self, observation: Array) -> PolicyOutput:
        """Actions, logits and values for `observation` `[N, *obs]`; may be called from any thread.

        Raises:
          InvalidInputError: where logits or value come out non-finite.
        """
        output = PolicyOutput(*self._session.run(OUTPUTS, {INPUT: observation}))
        if not (np.isfinite(output.logits).all() and np.isfinite(output.value).all()):
            raise InvalidInputError(
                f"{INPUT}: the policy gives non-finite numbers for it; "
                "expected values as large as in training"
            )
        return output

    def _warm_up(self) -> tuple[TensorSpec, ...]:
        """Runs two rows, since a graph need not declare its output shapes and the first is slow."""
        try:
            output = self.run(np.zeros((2, *self.observation.row_shape), self.observation.dtype))
        except Exception as error:  # onnxruntime's errors have no base class of their own
            raise ModelError(f"the model cannot run a batch of 2 zeros: {error}") from None
        return tuple(map(_output_spec, OUTPUTS, output, OUTPUT_RANKS, OUTPUT_DTYPES))


def _open_session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # requests run side by side, so threads inside one of them would only get in each other's way
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # every error is raised, too
    try:
        session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise ModelError(f"no ONNX model that onnxruntime can open: {error}") from None
    _check_names("inputs", {node.name for node in session.get_inputs()}, {INPUT})
    _check_names("outputs", {node.name for node in session.get_outputs()}, set(OUTPUTS))
    return session


def _check_names(kind: str, received: set[str], expected: set[str]) -> None:
    if received != expected:
        raise ModelError(
            f"the model has {kind} {sorted(received)}, expected {sorted(expected)}; "
            "this version serves policies without memory that choose among discrete actions"
        )


def _observation_spec(inputs: list[Any]) -> TensorSpec:
    (node,) = inputs
    dtype = ORT_DTYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")"))
    if dtype not in DATATYPES:
        raise ModelError(f"input {INPUT} is {node.type}, expected one of {', '.join(DATATYPES)}")
    batch, *row_shape = node.shape or [1]
    if isinstance(batch, int) or not all(isinstance(size, int) for size in row_shape):
        raise ModelError(f"input {INPUT} has shape {node.shape}, expected only the batch symbolic")
    return TensorSpec(INPUT, dtype, (-1, *row_shape))


def _output_spec(name: str, values: Array, rank: int, dtypes: tuple[str, ...]) -> TensorSpec:
    if values.ndim != rank or len(values) != 2 or values.dtype.name not in dtypes:
        raise ModelError(
            f"output {name} is {values.dtype.name} {list(values.shape)} for 2 observations, "
            f"expected {' or '.join(dtypes)} of rank {rank}, a row each"
        )
    return TensorSpec(name, values.dtype.name, (-1, *values.shape[1:]))
