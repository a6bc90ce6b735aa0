"""`POST /act`: an observation in, an action out, greedy or sampled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from serving.errors import InvalidInputError
from serving.inputs import (
    ACTION_MASK,
    KEY_PREFIX,
    OBSERVATION,
    RESET,
    STATE,
    Inputs,
    check_together,
    is_observation,
    placeholder,
)
from serving.json_codec import decode
from serving.policy import Policy
from serving.sampling import sample
from serving.signature import ACTION, NEW_STATE
from serving.tensors import Array, TensorSpec, check_batch, decode_row, decode_values, depth_of


class ActRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Inputs for one row or a batch, as nested lists; null is the same as a missing key."""

    observation: msgspec.Raw
    action_mask: msgspec.Raw = msgspec.Raw()
    state: msgspec.Raw = msgspec.Raw()
    reset: msgspec.Raw = msgspec.Raw()
    deterministic: bool = True
    seed: int | None = None


class ActAnswer(msgspec.Struct, kw_only=True):
    """A row's values for one row, lists of them for a batch; the state where there is one."""

    action: Any
    value: float | list[float]
    state: list[float] | list[list[float]] | msgspec.UnsetType = msgspec.UNSET
    model_name: str
    model_version: str


_DECODER = msgspec.json.Decoder(ActRequest)
_OBSERVATIONS = msgspec.json.Decoder(dict[str, msgspec.Raw])
EXPECTED = (
    '{"observation": one or a batch, "deterministic": true, "seed": 7}, the last two optional, '
    'and "action_mask", "state" and "reset" where the policy has them'
)


def act(policy: Policy, body: bytes) -> bytes:
    """Returns the JSON answer to the JSON request `body`.

    Raises:
      InvalidInputError: for a body that is no request, or inputs that the policy does not take.
    """
    request = decode(body, _DECODER, EXPECTED)
    _check_seed(request.seed)
    inputs, is_single = _decode_inputs(request, policy)
    outputs = policy.run(inputs)
    state = outputs.get(NEW_STATE)
    action = outputs[ACTION] if request.deterministic else _sample(policy, outputs, request.seed)
    answer = ActAnswer(
        action=_values(action, is_single),
        value=_values(outputs["value"], is_single),
        state=msgspec.UNSET if state is None else _values(state, is_single),
        model_name=policy.name,
        model_version=policy.version,
    )
    return msgspec.json.encode(answer)


def _check_seed(seed: int | None) -> None:
    if seed is not None and seed < 0:
        raise InvalidInputError(f"seed: received {seed}; expected an integer from 0, or null")


def _sample(policy: Policy, outputs: Mapping[str, Array], seed: int | None) -> Array:
    if policy.distribution is None:
        raise InvalidInputError(
            "deterministic: received false; expected true, since sampling this policy needs the "
            "manifest that export wrote, and there is no manifest beside the model"
        )
    return sample(policy.distribution, outputs, seed)


def _decode_inputs(request: ActRequest, policy: Policy) -> tuple[Inputs, bool]:
    """Returns every input of the policy as a batch, and whether the request is for a single row."""
    specs = {name: _as_requested(spec) for name, spec in policy.inputs.items()}
    texts = _texts(request, specs)
    first = next(iter(texts))
    is_single = depth_of(texts[first]) == len(specs[first].row_shape)
    given = {name: _decode_input(text, specs[name], is_single) for name, text in texts.items()}
    rows = len(given[first])
    inputs = {
        name: given[name] if name in given else placeholder(spec, rows)
        for name, spec in specs.items()
    }
    check_together(inputs, specs, policy.choices)
    return inputs, is_single


def _as_requested(spec: TensorSpec) -> TensorSpec:
    """Returns the spec by the name that the request's author knows, for errors."""
    name = "state" if spec.name == STATE else spec.name
    if name.startswith(KEY_PREFIX):
        name = f"observation.{name.removeprefix(KEY_PREFIX)}"
    return msgspec.structs.replace(spec, name=name)


def _texts(request: ActRequest, specs: Mapping[str, TensorSpec]) -> dict[str, bytes]:
    """Returns the JSON of each tensor that the request holds, observations first."""
    texts = _observation_texts(request.observation, list(filter(is_observation, specs)))
    rest = {ACTION_MASK: request.action_mask, STATE: request.state, RESET: request.reset}
    for name, text in rest.items():
        if bytes(text) in (b"", b"null"):
            continue
        if name not in specs:
            raise InvalidInputError(
                f"{name.removesuffix('_in')}: received, but this policy has no such input; "
                "leave it out"
            )
        texts[name] = bytes(text)
    if ACTION_MASK in specs and ACTION_MASK not in texts:
        spec = specs[ACTION_MASK]
        raise InvalidInputError(
            f"{ACTION_MASK}: missing; expected {list(spec.row_shape)} for one, else {spec}"
        )
    return texts


def _observation_texts(text: msgspec.Raw, names: list[str]) -> dict[str, bytes]:
    if names == [OBSERVATION]:
        return {OBSERVATION: bytes(text)}
    keys = {name.removeprefix(KEY_PREFIX): name for name in names}
    expected = f"an object with keys {', '.join(map(repr, keys))}"
    try:
        values = decode(bytes(text), _OBSERVATIONS, expected)
    except InvalidInputError as error:
        raise InvalidInputError(f"{OBSERVATION}: {error}") from None
    if values.keys() != keys.keys():
        received = f"keys {', '.join(map(repr, list(values)[:8]))}" if values else "no keys"
        raise InvalidInputError(f"{OBSERVATION}: received {received}; expected {expected}")
    return {name: bytes(values[key]) for key, name in keys.items()}


def _decode_input(text: bytes, spec: TensorSpec, is_single: bool) -> Array:
    """Returns a batch; of one row, where the request is for a single one."""
    depth, rank = depth_of(text), len(spec.row_shape)
    if depth not in (rank, rank + 1):
        raise InvalidInputError(
            f"{spec.name}: received values {depth} lists deep; "
            f"expected {rank} for one observation or {rank + 1} for a batch: {spec}"
        )
    if is_single != (depth == rank):
        received, expected = ("a batch", "one") if is_single else ("one", "a batch")
        raise InvalidInputError(
            f"{spec.name}: received {received}; "
            f"expected {expected}, as for the other inputs: {spec}"
        )
    if is_single:
        return decode_row(text, spec)
    batch = decode_values(text, depth, spec)
    check_batch(batch, spec)
    return batch


def _values(batch: Array, is_single: bool) -> Any:
    return batch[0].tolist() if is_single else batch.tolist()
