"""The inputs and outputs that a policy's graph must have: names, dtypes and ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.errors import ModelError
from serving.inputs import ACTION_MASK, OBSERVATION, RESET, STATE, is_observation
from serving.tensors import DATATYPES, Array, TensorSpec

ACTION, NEW_STATE = "action", "state_out"
FIXED_INPUTS = {ACTION_MASK: ("bool", 2), STATE: ("float32", 2), RESET: ("bool", 1)}
"""dtype and rank, the batch counted, of the inputs beside the observation."""
FIXED_OUTPUTS = {
    "logits": ("float32", 2),
    "mean": ("float32", 2),
    "log_std": ("float32", 2),
    "value": ("float32", 1),
    NEW_STATE: ("float32", 2),
}
"""dtype and rank, the batch counted, of the outputs beside the action."""
ORT_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}


def input_specs(nodes: list[Any]) -> dict[str, TensorSpec]:
    """Returns the inputs that onnxruntime lists, by name.

    Raises:
      ModelError: where they are not those of a policy.
    """
    names = {node.name for node in nodes}
    observations = set(filter(is_observation, names))
    is_observed = bool(observations) and (
        OBSERVATION not in observations or observations == {OBSERVATION}
    )
    if not is_observed or names - observations - {ACTION_MASK} not in (set(), {STATE, RESET}):
        raise ModelError(
            f"the model has inputs {sorted(names)}, expected 'observation', or "
            "'observation_KEY' for each key, then possibly 'action_mask', 'state_in' with 'reset'"
        )
    return {node.name: _input_spec(node) for node in nodes}


def output_names(nodes: list[Any], inputs: Mapping[str, TensorSpec]) -> tuple[str, ...]:
    """Returns the names of the outputs that onnxruntime lists, in the order of their publication.

    Raises:
      ModelError: where they are not those of a policy with such inputs.
    """
    received = {node.name for node in nodes}
    memory = (NEW_STATE,) if STATE in inputs else ()
    for parameters in (("logits",), ("mean", "log_std")):
        names = (ACTION, *parameters, "value", *memory)
        if received == set(names):
            return names
    raise ModelError(
        f"the model has outputs {sorted(received)}, expected 'action', 'value', 'logits' or "
        "'mean' with 'log_std', and 'state_out' where it has 'state_in'"
    )


def output_specs(
    outputs: Mapping[str, Array], inputs: Mapping[str, TensorSpec]
) -> dict[str, TensorSpec]:
    """Returns the specs of the outputs of a run of 2 rows.

    Raises:
      ModelError: for another dtype or shape than that of a policy.
    """
    specs = {name: _output_spec(name, values) for name, values in outputs.items()}
    for name, twin in (("log_std", specs.get("mean")), (NEW_STATE, inputs.get(STATE))):
        if name in specs and twin and specs[name].shape != twin.shape:
            raise ModelError(
                f"output {name} has shape {list(specs[name].shape)}, "
                f"expected {list(twin.shape)} as {twin.name}"
            )
    return specs


def _input_spec(node: Any) -> TensorSpec:
    dtype = ORT_DTYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")"))
    batch, *row_shape = node.shape or [1]
    if isinstance(batch, int) or not all(isinstance(size, int) for size in row_shape):
        raise ModelError(
            f"input {node.name} has shape {node.shape}, expected only the batch symbolic"
        )
    if node.name not in FIXED_INPUTS:
        if dtype not in DATATYPES:
            raise ModelError(
                f"input {node.name} is {node.type}, expected one of {', '.join(DATATYPES)}"
            )
    elif (dtype, len(node.shape)) != FIXED_INPUTS[node.name]:
        expected, rank = FIXED_INPUTS[node.name]
        raise ModelError(
            f"input {node.name} is {dtype} {node.shape}, expected {expected} of rank {rank}"
        )
    return TensorSpec(node.name, dtype, (-1, *row_shape))


def _output_spec(name: str, values: Array) -> TensorSpec:
    dtype, rank = FIXED_OUTPUTS.get(name, (values.dtype.name, max(1, values.ndim)))
    received = values.dtype.name
    if (received, values.ndim) != (dtype, rank) or len(values) != 2 or received not in DATATYPES:
        expected = f"{dtype} of rank {rank}" if name in FIXED_OUTPUTS else "numbers"
        raise ModelError(
            f"output {name} is {received} {list(values.shape)} for 2 observations, "
            f"expected {expected}, a row each"
        )
    return TensorSpec(name, received, (-1, *values.shape[1:]))
